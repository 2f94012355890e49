"""The socket of the HTTP server, before it is served."""

from __future__ import annotations

import pytest

from coordinator.errors import OperatorError
from coordinator.web_server.server_socket import bind

HERE = "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("a..b", "no host can be called so"),
        ("x" * 80 + ".example", "no host can be called so"),
        ("192.0.2.1", "not an address of this machine"),
        ("256.1.1.1", "not an address here"),
    ],
)
def test_a_host_that_cannot_be_is_one_line(host: str, words: str) -> None:
    with pytest.raises(OperatorError, match="--host or COORDINATOR_HTTP_HOST") as told:
        bind(host, 0)
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_a_taken_port_is_told_at_once() -> None:
    with bind(HERE, 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OperatorError, match=f"^Port {port} is taken: .*--port"):
            bind(HERE, port)
