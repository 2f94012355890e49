"""No connection is reset by the end of a server: it accepts those that are there, and others do not begin."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from coordinator.web_server.connection_draining import accept_the_last, turn_away
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_options import ServerOptions
from coordinator.web_server.server_socket import bind

HERE = "127.0.0.1"
REQUEST = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n"
ROUNDS, CLIENTS = 5, 6

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the filter is one of Linux")


async def app(scope: Any, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"here"})


def family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@pytest.mark.parametrize("host", [HERE, "::1"])
async def test_who_has_connected_is_accepted_and_who_comes_later_is_refused(host: str) -> None:
    listener = bind(host, 0)
    port = listener.getsockname()[1]
    loop = asyncio.get_running_loop()
    accepted = list[asyncio.BaseTransport]()

    class Noting(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    server = await loop.create_server(Noting, sock=listener)
    with socket.socket(family(host)) as early, socket.socket(family(host)) as late:
        early.connect((host, port))
        turn_away(listener)
        late.setblocking(False)
        connecting = asyncio.create_task(loop.sock_connect(late, (host, port)))
        await accept_the_last([listener], within=0)
        assert [one.get_extra_info("peername") for one in accepted] == [early.getsockname()]
        assert not connecting.done()
        server.close()
        async with asyncio.timeout(60):
            with pytest.raises(ConnectionRefusedError):
                await connecting
        accepted[0].close()


async def test_of_many_who_connect_while_a_server_ends_each_is_answered_or_refused() -> None:
    seen = Counter[str]()
    for _ in range(ROUNDS):
        listener = bind(HERE, 0)
        port, stop = listener.getsockname()[1], threading.Event()
        clients = [
            threading.Thread(target=ask_until, args=(port, stop, seen)) for _ in range(CLIENTS)
        ]
        async with serving(app, listener, ServerOptions(drain_seconds=0.1)):
            for client in clients:
                client.start()
        stop.set()
        for client in clients:
            client.join()
    assert set(seen) == {"answered", "refused"}


def ask_until(port: int, stop: threading.Event, seen: Counter[str]) -> None:
    while not stop.is_set():
        with socket.socket() as client:
            client.settimeout(60)
            try:
                client.connect((HERE, port))
            except ConnectionRefusedError:
                seen["refused"] += 1
                return
            try:
                client.sendall(REQUEST)
                seen[
                    "answered" if client.recv(4096).startswith(b"HTTP/1.1 200") else "cut off"
                ] += 1
            except ConnectionError:
                seen["reset"] += 1
