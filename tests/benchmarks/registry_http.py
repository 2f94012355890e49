"""A client that costs next to nothing beside what it measures: HTTP/1.1 over one bare stream."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Client", "connected"]


class Client:
    """One keep-alive connection, one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.seconds: list[float] = []
        """That each answer took, but for reading its JSON."""

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """GET, or POST where there is a ``body``."""
        found: dict[str, Any] = json.loads(await self._exchange(path, body))
        return found

    async def get(self, path: str) -> bytes:
        """Whatever is answered, unread."""
        return await self._exchange(path, None)

    async def _exchange(self, path: str, body: dict[str, Any] | None) -> bytes:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{'GET' if body is None else 'POST'} {path} HTTP/1.1\r\nHost: localhost\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        began = time.perf_counter()
        self._writer.write(f"{head}\r\n".encode() + content)
        status, answer = await self._answer()
        self.seconds.append(time.perf_counter() - began)
        assert status == 200, (path, answer)
        return answer

    async def _answer(self) -> tuple[int, bytes]:
        first, *fields = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        pairs = dict(field.lower().split(": ", 1) for field in fields if field)
        body = await self._reader.readexactly(int(pairs["content-length"]))
        return int(first.split()[1]), body


@asynccontextmanager
async def connected(base_url: str) -> AsyncIterator[Client]:
    address = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=2**20)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()
