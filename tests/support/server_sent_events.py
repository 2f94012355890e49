"""Reads server-sent events off a socket, as a small client of HTTP/1.1."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Frame", "Stream", "parsed", "streaming"]


@dataclass
class Frame:
    """What came between two empty lines."""

    id: str | None = None
    event: str | None = None
    data: str | None = None
    comment: str | None = None

    @property
    def position(self) -> int:
        assert self.id is not None, self
        return int(self.id)

    @property
    def json(self) -> dict[str, Any]:
        assert self.data is not None, self
        found: dict[str, Any] = json.loads(self.data)
        return found


def parsed(text: str) -> Frame:
    """One frame, without the empty line that ends it."""
    frame = Frame()
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                frame.comment = value
            case "id":
                frame.id = value
            case "event":
                frame.event = value
            case "data":
                frame.data = value if frame.data is None else f"{frame.data}\n{value}"
    return frame


@dataclass
class Stream:
    """One answer, as it comes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    _text: str = ""

    async def frame(self, within: float = 30) -> Frame | None:
        """The next; None where the answer has ended, in good order. Raises `IncompleteReadError` where the
        connection was lost.
        """
        async with asyncio.timeout(within):
            while "\n\n" not in self._text:
                piece = await self._chunk()
                if piece is None:
                    return None
                self._text += piece.decode()
        text, _, self._text = self._text.partition("\n\n")
        return parsed(text)

    async def event(self, within: float = 30) -> Frame | None:
        """The next with data."""
        while (frame := await self.frame(within)) is not None:
            if frame.data is not None:
                return frame
        return None

    async def events(self, count: int, within: float = 30) -> list[Frame]:
        found: list[Frame] = []
        async with asyncio.timeout(within):
            while len(found) < count:
                frame = await self.event()
                assert frame is not None, found
                found.append(frame)
        return found

    async def body(self) -> dict[str, Any]:
        """Of an answer that is no stream."""
        content = await self.reader.readexactly(int(self.headers["content-length"]))
        found: dict[str, Any] = json.loads(content)
        return found

    async def _chunk(self) -> bytes | None:
        size = int(await self.reader.readuntil(b"\r\n"), 16)
        content = await self.reader.readexactly(size + 2)
        return content[:-2] if size else None


@contextlib.asynccontextmanager
async def streaming(
    url: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    limit: int = 2**16,
) -> AsyncIterator[Stream]:
    """Yields once the head of the answer is there. ``limit``: bytes that are read ahead."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port, limit=limit)
    try:
        fields = {"Host": place.netloc, "Accept": "text/event-stream"} | dict(headers or {})
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in fields.items()),
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        told = [line.split(": ", 1) for line in head[1:] if line]
        yield Stream(
            reader, writer, int(head[0].split()[1]), {name.lower(): value for name, value in told}
        )
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
