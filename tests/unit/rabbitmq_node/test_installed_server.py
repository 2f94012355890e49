"""Which server is found, on file trees that look like machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.rabbitmq_node.installed_server import InstalledServer, find_server
from coordinator.rabbitmq_node.node_identity import Ports

PORTS = Ports(amqp=1, management=2, distribution=3, epmd=4)


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    script = tmp_path / "usr/lib/rabbitmq/bin/rabbitmq-server"
    script.parent.mkdir(parents=True)
    script.symlink_to("../lib/rabbitmq_server-4.0.5/sbin/rabbitmq-server")
    epmd = tmp_path / "usr/lib/erlang/erts-15.2/bin/epmd"
    epmd.parent.mkdir(parents=True)
    epmd.touch()
    return tmp_path


def test_a_server_inside_another_root_is_named_as_seen_from_there(debian: Path) -> None:
    server = find_server(debian)
    assert server is not None
    assert server.script == Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    assert server.epmd_binary == Path("/usr/lib/erlang/erts-15.2/bin/epmd")
    assert server.root == debian


def test_an_empty_root_has_none(tmp_path: Path) -> None:
    assert find_server(tmp_path) is None
    assert find_server(tmp_path / "missing") is None


def test_a_server_inside_another_root_sees_its_data_at_the_mount_point(debian: Path) -> None:
    server = find_server(debian)
    assert server is not None
    launch = server.server(Path("/data folder"), PORTS)
    assert launch.command[:2] == ["unshare", "--mount"]
    assert "'/data folder'" in launch.command[-1]
    assert launch.env["RABBITMQ_MNESIA_BASE"] == "/mnt/mnesia"


def test_an_installed_server_sees_its_data_where_it_is() -> None:
    server = InstalledServer(script=Path("/x/rabbitmq-server"), epmd_binary=Path("/x/epmd"))
    launch = server.server(Path("/data"), PORTS)
    assert launch.command[0] == "/x/rabbitmq-server"
    assert launch.env["RABBITMQ_MNESIA_BASE"] == "/data/mnesia"


def test_nothing_of_the_machines_own_broker_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RABBITMQ_NODENAME", "rabbit@production")
    server = InstalledServer(script=Path("/x/rabbitmq-server"), epmd_binary=Path("/x/epmd"))
    env = server.server(Path("/data"), PORTS).env
    assert "production" not in str(env)
    assert env["RABBITMQ_CONF_ENV_FILE"] == "/dev/null"
    assert env["ERL_EPMD_PORT"] == "4"
