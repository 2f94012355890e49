"""A TCP proxy on loopback between one client and the broker, which can be made a bad network.

Each client has a proxy of its own, so that it is known whom a cut connection belonged to. A connection
goes to one of the broker's nodes that are up, as through a load balancer with health checks.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Self

__all__ = ["Connection", "Proxy"]

CHUNK = 65536
CONNECT_TIMEOUT = 5.0


class Connection:
    """Two pumps, and what holds them up."""

    def __init__(self) -> None:
        self._passing = asyncio.Event()
        self._passing.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._pace: float | None = None

    def cut(self) -> None:
        """Both ends see the connection reset."""
        for writer in self._writers:
            writer.transport.abort()

    def stall(self) -> None:
        """It stays open, takes what the buffers hold, and passes nothing, until `recover`."""
        self._passing.clear()

    def slow(self, bytes_per_second: float) -> None:
        """Until `recover`."""
        self._pace = bytes_per_second

    def recover(self) -> None:
        self._pace = None
        self._passing.set()

    async def run(self, *ends: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        """Pass on in both directions until either end is closed."""
        (near_in, near_out), (far_in, far_out) = ends
        self._writers = [near_out, far_out]
        pumps = {
            asyncio.create_task(self._pump(near_in, far_out)),
            asyncio.create_task(self._pump(far_in, near_out)),
        }
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.wait(pumps)
            self.cut()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(CHUNK if self._pace is None else 1024):
                await self._passing.wait()
                if self._pace is not None:
                    await asyncio.sleep(len(data) / self._pace)
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            return


class Proxy:
    """An async context manager. ``ports`` tells where the broker listens at this moment."""

    def __init__(self, ports: Callable[[], Sequence[int]], *, rng: random.Random) -> None:
        self._ports = ports
        self._rng = rng
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self.connections: list[Connection] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        if self._serving:
            await asyncio.wait(self._serving)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await self._broker()
        if far is None:
            writer.transport.abort()
            return
        connection = Connection()
        self.connections.append(connection)
        try:
            await connection.run((reader, writer), far)
        finally:
            self.connections.remove(connection)

    async def _broker(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for port in self._rng.sample(ports := list(self._ports()), len(ports)):
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    return await asyncio.open_connection("127.0.0.1", port)
            except OSError:  # a TimeoutError is one
                continue
        return None
