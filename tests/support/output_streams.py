"""Serves a coordinator on a socket, and reads the partial output that the stream of a task tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from coordinator.bootstrap import Coordinator
from coordinator.web_server.http_server import serving
from coordinator.web_server.server_socket import address, bind

from .server_sent_events import Frame, Stream

__all__ = ["Told", "on_a_socket", "read_to_the_end", "read_until"]


@asynccontextmanager
async def on_a_socket(coordinator: Coordinator) -> AsyncIterator[str]:
    """Its base URL."""
    listener = bind("127.0.0.1", 0)
    async with serving(coordinator.app, listener, stopping=coordinator.stop_streams):
        yield address(listener)


@dataclass
class Told:
    """What one stream of a task has told so far, in its order."""

    frames: list[Frame] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [frame.event or "" for frame in self.frames]

    @property
    def output(self) -> list[tuple[str, dict[str, Any]]]:
        """The frames of partial output."""
        return [
            (frame.event, frame.json)
            for frame in self.frames
            if frame.event is not None and frame.event.startswith("output.")
        ]

    @property
    def numbered(self) -> list[tuple[int, int, Any]]:
        """Each chunk with its attempt and its number."""
        return [
            (data["attempt"], number, chunk)
            for name, data in self.output
            if name == "output.chunks"
            for number, chunk in enumerate(data["chunks"], data["first"])
        ]

    def of(self, name: str, *fields: str) -> list[tuple[Any, ...]]:
        """These fields of each frame of the name."""
        return [
            tuple(data.get(one) for one in fields) for told, data in self.output if told == name
        ]

    @property
    def chunks(self) -> list[Any]:
        return [chunk for _, _, chunk in self.numbered]

    @property
    def end(self) -> dict[str, Any]:
        assert self.frames[-1].event == "stream.end", self.names
        return self.frames[-1].json


async def read_until(stream: Stream, told: Told, names: Sequence[str], within: float = 60) -> Told:
    """Read on into ``told``, up to the first frame with one of these names."""
    async with asyncio.timeout(within):
        while True:
            frame = await stream.event(within)
            assert frame is not None, told.names
            told.frames.append(frame)
            if frame.event in names:
                return told


async def read_to_the_end(stream: Stream, told: Told | None = None, within: float = 60) -> Told:
    return await read_until(stream, told or Told(), ["stream.end"], within)
