"""`coordinator keys`: a key is printed once, and everything else about it whenever one asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.access.api_key import is_key
from coordinator.commands.cli import main
from coordinator.commands.keys.keys_command import end_of
from coordinator.errors import OperatorError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COORDINATOR_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def listed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str | None]]:
    assert main(["keys", "list", "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.strip()


def test_a_key_is_made_listed_rotated_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    made = ["keys", "create", "--name", "ci", "--role", "producer", "--role", "reader"]
    assert main([*made, "--expires", "90d"]) == 0
    first = printed(capsys)
    assert is_key(first)
    (shown,) = listed(capsys)
    assert (shown["name"], shown["state"], shown["roles"]) == ("ci", "active", "producer,reader")
    assert shown["expires_at"] is not None
    assert shown["last_used_at"] is None
    assert main(["keys", "rotate", "ci", "--keep-old", "1h"]) == 0
    second = printed(capsys)
    assert is_key(second)
    assert second != first
    assert main(["keys", "revoke", "ci"]) == 0
    capsys.readouterr()
    (shown,) = listed(capsys)
    assert (shown["state"], shown["rotated_at"] is not None) == ("revoked", True)
    assert main(["keys", "list"]) == 0
    told = printed(capsys)
    assert "name=ci  state=revoked" in told
    assert first not in told
    assert second not in told


def test_a_key_of_an_agent_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    made = ["keys", "create", "--name", "ada", "--role", "agent"]
    assert main(made) == 1
    assert "agent-id" in capsys.readouterr().err
    assert main([*made, "--agent-id", "ada"]) == 0
    capsys.readouterr()
    assert listed(capsys)[0]["agent_id"] == "ada"


def test_a_key_is_printed_as_it_is_where_log_lines_are_json(data: Path) -> None:
    told = os.environ | {"COORDINATOR_DATA_DIR": str(data), "COORDINATOR_LOG_FORMAT": "json"}
    command = [
        sys.executable,
        "-m",
        "coordinator",
        "keys",
        "create",
        "--name",
        "a",
        "--role",
        "reader",
    ]
    done = subprocess.run(command, env=told, capture_output=True, text=True, check=True)
    assert is_key(done.stdout.removesuffix("\n"))


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (["create", "--name", "a b", "--role", "reader"], "name must have"),
        (["create", "--name", "a", "--role", "reader", "--expires", "soon"], "'soon'"),
        (["create", "--name", "a", "--role", "reader", "--expires", "2020-01-01"], "over already"),
        (["revoke", "nobody"], "no key 'nobody'"),
        (["rotate", "nobody"], "no key 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], command: list[str], word: str
) -> None:
    assert main(["keys", *command]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert word in told.err
    assert told.err.count("\n") == 1


def test_an_end_is_a_time_from_now_or_an_instant() -> None:
    assert end_of("90d", NOW) == NOW + timedelta(days=90)
    assert end_of("30", NOW) == NOW + timedelta(seconds=30)
    assert end_of("2w", NOW) == NOW + timedelta(weeks=2)
    assert end_of("2026-02-01T00:00:00+02:00", NOW) == datetime(2026, 1, 31, 22, tzinfo=UTC)
    assert end_of("2026-02-01", NOW) == datetime(2026, 2, 1, tzinfo=UTC)
    for wrong in ("", "d", "-1d", "1y", "99999999999d"):
        with pytest.raises(OperatorError):
            end_of(wrong, NOW)


@pytest.mark.parametrize("command", ["serve", "up"])
def test_no_service_listens_beyond_this_machine_without_authentication(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    assert main([command, "--host", "0.0.0.0", "--amqp-url", "amqp://127.0.0.1:1"]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("coordinator: Whoever reaches 0.0.0.0 could do everything")
    assert told.err.count("\n") == 1
    assert told.out == ""
