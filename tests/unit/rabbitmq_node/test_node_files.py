"""The folder of a private node, without a node."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from coordinator.errors import OperatorError
from coordinator.rabbitmq_node import node_files
from coordinator.rabbitmq_node.node_files import NodeFiles
from coordinator.rabbitmq_node.node_identity import Identity, Ports

PORTS = Ports(amqp=20_001, management=20_002, distribution=20_003, epmd=20_004)


def test_an_identity_is_kept_with_its_ports(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path)
    first = files.identity()
    files.write(first, PORTS, listen_on="127.0.0.1")
    assert files.identity() == Identity(
        username=first.username, password=first.password, ports=PORTS
    )


def test_two_folders_have_two_passwords(tmp_path: Path) -> None:
    one, two = NodeFiles(tmp_path / "one").identity(), NodeFiles(tmp_path / "two").identity()
    assert one.password != two.password


@pytest.mark.parametrize("damage", ["", "{}", "[]", '{"username": 1, "ports": {"amqp": 1}}'])
def test_a_damaged_identity_is_an_operators_matter(tmp_path: Path, damage: str) -> None:
    (tmp_path / "identity.json").write_text(damage)
    with pytest.raises(OperatorError, match=r"identity\.json is damaged"):
        NodeFiles(tmp_path).identity()


def test_no_file_of_before_is_left_for_others_to_read(tmp_path: Path) -> None:
    """An earlier version, a restored backup or a hand made them so."""
    files = NodeFiles(tmp_path)
    files.write(files.identity(), PORTS, listen_on="127.0.0.1")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    for path in written:
        path.chmod(0o644)
    files.write(files.identity(), PORTS, listen_on="127.0.0.1")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in written}
    assert modes == {path.name: 0o600 for path in written} | {".erlang.cookie": 0o400}


def test_an_identity_that_is_taken_along_is_private(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path / "rabbitmq")
    with files.locked():
        files.write(files.identity(), PORTS, listen_on="127.0.0.1")
    kept = files.folder / "identity.json"
    kept.chmod(0o644)
    files.set_aside(datetime(2026, 1, 1, tzinfo=UTC))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_the_cookie_outlives_a_second_start(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path)
    cookies = []
    for _ in range(2):
        files.write(files.identity(), PORTS, listen_on="127.0.0.1")
        cookies.append((tmp_path / "home/.erlang.cookie").read_text())
    assert cookies[0] == cookies[1]
    assert len(cookies[0]) >= 20


def test_nobody_else_may_read_what_holds_a_secret(tmp_path: Path) -> None:
    files = NodeFiles(tmp_path)
    files.write(files.identity(), PORTS, listen_on="127.0.0.1")
    for name in ("identity.json", "rabbitmq.conf", "home/.erlang.cookie"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o077 == 0, name


def test_whoever_is_killed_at_setting_a_folder_aside_finds_its_user_and_ports_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = NodeFiles(tmp_path / "rabbitmq")
    files.folder.mkdir()
    files.write(files.identity(), PORTS, listen_on="127.0.0.1")
    kept = files.identity()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(node_files, "write_private_file", killed)
    with pytest.raises(KeyboardInterrupt):
        files.set_aside(datetime(2026, 1, 2, tzinfo=UTC))
    assert not files.used
    assert files.identity() == kept


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    with (
        NodeFiles(tmp_path).locked(),
        pytest.raises(OperatorError, match="is in use"),
        NodeFiles(tmp_path).locked(),
    ):
        pass
    with NodeFiles(tmp_path).locked():
        pass


def test_a_folder_that_cannot_be_made_is_an_operators_matter(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OperatorError, match="cannot be written"),
        NodeFiles(tmp_path / "file" / "data").locked(),
    ):
        pass
