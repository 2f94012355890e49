"""The socket of the service manager, and the word that the service is ready."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.errors import OperatorError
from coordinator.web_server.service_manager import activated_socket, tell_ready

HERE = ("127.0.0.1", 0)


def told(count: str = "1", pid: int | None = None) -> dict[str, str]:
    owner = os.getpid() if pid is None else pid
    return {"LISTEN_FDS": count, "LISTEN_PID": str(owner), "LISTEN_FDNAMES": "api", "HOME": "/"}


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(HERE) as listener:
        yield listener


def test_the_socket_is_taken_and_no_child_takes_it_again(listening: socket.socket) -> None:
    environment = told()
    passed = activated_socket(environment, first=os.dup(listening.fileno()))
    assert passed is not None
    with passed:
        assert passed.getsockname() == listening.getsockname()
        assert not passed.get_inheritable()
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize(
    "environment", [{}, told("0"), told(pid=1), {"LISTEN_FDS": "1"}, {"LISTEN_PID": "1"}]
)
def test_there_is_none_where_none_was_passed_to_this_process(environment: dict[str, str]) -> None:
    assert activated_socket(environment, first=-1) is None


def test_several_sockets_are_one_too_many() -> None:
    with pytest.raises(OperatorError, match="a single ListenStream="):
        activated_socket(told("2"), first=-1)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param((socket.AF_INET, socket.SOCK_DGRAM), id="UDP"),
        pytest.param((socket.AF_INET, socket.SOCK_STREAM), id="a connection"),
        pytest.param((socket.AF_UNIX, socket.SOCK_STREAM), id="a path"),
    ],
)
def test_what_no_connections_come_by_is_refused(kind: tuple[int, int]) -> None:
    with (
        socket.socket(*kind) as other,
        pytest.raises(OperatorError, match="no listening socket of TCP"),
    ):
        activated_socket(told(), first=os.dup(other.fileno()))


def test_a_file_that_is_no_socket_is_refused(tmp_path: Path) -> None:
    number = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(OperatorError, match="ListenStream="):
        activated_socket(told(), first=number)
    os.close(number)


def test_the_manager_is_told_by_a_path_or_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"coordinator-test-{os.getpid()}"
    for bound, named in ((str(tmp_path / "notify"), None), (f"\0{name}", f"@{name}")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(bound)
            monkeypatch.setenv("NOTIFY_SOCKET", named or bound)
            tell_ready()
            assert ear.recv(64) == b"READY=1"


def test_a_manager_that_does_not_hear_is_only_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    tell_ready()
    assert "cannot be told" in caplog.text
