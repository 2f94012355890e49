"""The socket of the API: the port is taken at once, and refuses until there is something that answers."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from coordinator.errors import OperatorError
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, answers, bind

HERE = "127.0.0.1"


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex((HERE, port)) == 0


async def test_connections_are_refused_until_they_are_answered() -> None:
    listener = bind(HERE, 0)
    port = listener.getsockname()[1]
    assert not answers(listener)
    assert not connects(port)
    async with serving(app, listener):
        assert answers(listener)
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(address(listener))).text == "here"
    assert not connects(port)


async def test_a_port_that_another_program_took_meanwhile_is_told_when_it_is_to_be_served() -> None:
    with bind(HERE, 0) as ours:
        port = ours.getsockname()[1]
        with bind(HERE, port) as quicker:
            quicker.listen()
            with pytest.raises(OperatorError, match=f"^Port {port} is taken"):
                async with serving(app, ours):
                    pass
