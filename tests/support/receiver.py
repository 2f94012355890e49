"""A receiver of callbacks on a socket of its own, over HTTP or HTTPS, which answers as a test says."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json

from tests.support.waiting import eventually

__all__ = ["Received", "Receiver", "answer", "receiver"]


@dataclass(frozen=True)
class Received:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = from_json(self.body)
        return event

    @property
    def webhook_id(self) -> str:
        return self.headers["webhook-id"]


def answer(status: int, *headers: str, body: str = "") -> bytes:
    lines = [
        f"HTTP/1.1 {status} Word",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", body]).encode()


@dataclass
class Receiver:
    port: int = 0
    answer: Callable[[Received], bytes | None] = lambda _: answer(204)
    """None closes the connection without a word."""
    hold: asyncio.Event | None = None
    """Nothing is answered before it is set."""
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    most_open: int = 0
    scheme: str = "http"

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    async def has(self, count: int, timeout: float = 30) -> list[Received]:
        await eventually(lambda: len(self.received) >= count, timeout=timeout)
        return self.received

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._serve(reader, writer)
        finally:
            self.open -= 1
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        one = Received(method, target, headers, body)
        self.received.append(one)
        if self.hold is not None:
            await self.hold.wait()
        said = self.answer(one)
        if said is not None:
            writer.write(said)
            await writer.drain()


@contextlib.asynccontextmanager
async def receiver(
    *, port: int = 0, tls: ssl.SSLContext | None = None, **more: Any
) -> AsyncIterator[Receiver]:
    """On loopback; ``port`` 0 takes a free one."""
    it = Receiver(scheme="http" if tls is None else "https", **more)
    server = await asyncio.start_server(it.serve, "127.0.0.1", port, ssl=tls)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        if it.hold is not None:
            it.hold.set()
        server.close()
        await eventually(lambda: not it.open)
