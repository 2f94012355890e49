"""The socket of the API: the port is taken at once, and refuses until there is something that answers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from coordinator.errors import OperatorError
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
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


async def test_a_server_that_drains_ends_each_connection_with_an_answer() -> None:
    listener = bind(HERE, 0)
    base_url, calls = address(listener), list[str]()
    server = contextlib.AsyncExitStack()
    await server.enter_async_context(
        serving(
            app,
            listener,
            ServerOptions(drain_seconds=0.5),
            leaving=lambda: calls.append("leaving"),
            stopping=lambda: calls.append("stopping"),
        )
    )
    async with httpx.AsyncClient(trust_env=False, base_url=base_url) as http:
        assert "connection" not in (await http.get("/")).headers
        ending = asyncio.create_task(server.aclose())
        await asyncio.sleep(0)
        assert calls == ["leaving"]
        kept = await http.get("/")
        opened = await http.get("/")
        assert calls == ["leaving"], "it drained before it was asked"
    for answer in (kept, opened):
        assert (answer.text, answer.headers["connection"]) == ("here", "close")
    await ending
    assert calls == ["leaving", "stopping"]
    assert not connects(int(base_url.rpartition(":")[2]))


async def test_a_connection_that_was_accepted_before_the_end_is_answered() -> None:
    listener = bind(HERE, 0)
    address_ = listener.getsockname()
    server = contextlib.AsyncExitStack()
    stopped = asyncio.Event()
    await server.enter_async_context(
        serving(app, listener, ServerOptions(drain_seconds=0.01), stopping=stopped.set)
    )
    reader, writer = await asyncio.open_connection(*address_)
    ending = asyncio.create_task(server.aclose())
    await stopped.wait()
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.read()).endswith(b"here\r\n0\r\n\r\n")
    writer.close()
    await ending
