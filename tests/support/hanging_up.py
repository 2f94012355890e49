"""A stand-in for a broker that cannot deliver what is at the head of a queue: it hangs up on whoever
consumes from it. In front of a real broker, which does all the rest."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

__all__ = ["HangingUp", "hanging_up"]

READING = (b"\x00\x3c\x00\x14\x00\x00", b"\x00\x3c\x00\x46\x00\x00")
"""How the methods basic.consume and basic.get begin."""


class HangingUp:
    """``url`` is the broker's address through it."""

    def __init__(self, broker_url: str) -> None:
        self._parts = urlsplit(broker_url)
        self.url = ""
        self.queue: str | None = None
        """Whose readers it hangs up on; None for nobody's."""
        self.times = 0
        """How often it did."""
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        login = self._parts.netloc.rpartition("@")[0]
        port = server.sockets[0].getsockname()[1]
        self.url = urlunsplit(self._parts._replace(netloc=f"{login}@127.0.0.1:{port}"))
        return server

    def cut(self) -> None:
        """End all connections."""
        for writer in self._writers:
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(self._parts.hostname, self._parts.port)
        ends = {writer, there[1]}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, there[1], ends, asks=True))
                pumps.create_task(self._pump(there[0], writer, ends, asks=False))
        finally:
            self._writers -= ends

    async def _pump(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        ends: set[asyncio.StreamWriter],
        *,
        asks: bool,
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                if asks and self._reads(data):
                    self.times += 1
                    break
                sink.write(data)
                await sink.drain()
        for writer in ends:
            writer.transport.abort()

    def _reads(self, data: bytes) -> bool:
        if self.queue is None:
            return False
        name = self.queue.encode()
        return any(method + bytes([len(name)]) + name in data for method in READING)


@contextlib.asynccontextmanager
async def hanging_up(broker_url: str) -> AsyncIterator[HangingUp]:
    broker = HangingUp(broker_url)
    server = await broker.serve()
    try:
        yield broker
    finally:
        server.close()
        broker.cut()
