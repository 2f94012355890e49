"""Parses server-sent events: bytes as they come off a connection, into frames."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from coordinator.client.errors import NotACoordinator

__all__ = ["Frame", "FrameParser"]

LARGEST_FRAME = 64 * 1024 * 1024
"""Bytes: four times the largest message that the service publishes."""

_END_OF_LINE = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """Is what a stream has told up to an empty line."""

    event: str
    """`message` where it has no name; empty where there was a comment or an id alone."""
    data: str
    id: str | None
    """The last id that was told, with this frame or before."""
    placed: bool = True
    """Whether the id came with this frame."""


class FrameParser:
    """Is fed the bytes of one stream, in pieces of any size; keeps what is not complete. As the standard of
    HTML has it, but that a frame without data is told as well, for its id.
    """

    def __init__(self, last_id: str | None = None, *, largest: int = LARGEST_FRAME) -> None:
        """``largest``: bytes of a frame."""
        self._largest = largest
        self._buffer = bytearray()
        self._searched = 0
        self._after_cr = False
        self._size = 0
        self._begin()
        self._id = last_id
        self._first_line = True

    def feed(self, piece: bytes) -> Iterator[Frame]:
        """The frames that ``piece`` completes. Raises `NotACoordinator` where one has no end."""
        if self._after_cr and piece:
            # Whether the line feed belongs to it was not known before.
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        self._buffer += piece
        while (end := _END_OF_LINE.search(self._buffer, self._searched)) is not None:
            line = bytes(self._buffer[: end.start()])
            self._after_cr = end.group() == b"\r" and end.end() == len(self._buffer)
            del self._buffer[: end.end()]
            self._searched = 0
            frame = self._line(line)
            if frame is not None:
                yield frame
        self._searched = len(self._buffer)
        if self._size + len(self._buffer) > self._largest:
            raise NotACoordinator("A stream told one event without an end")

    def _begin(self) -> None:
        self._event = ""
        self._data: list[str] = []
        self._told = False
        self._placed = False
        self._size = 0

    def _line(self, line: bytes) -> Frame | None:
        if self._first_line:
            line, self._first_line = line.removeprefix(b"\xef\xbb\xbf"), False
        if not line:
            return self._frame()
        self._size += len(line)
        self._told = True
        name, _, value = line.decode(errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id, self._placed = value or None, True
        return None

    def _frame(self) -> Frame | None:
        told, event, data, placed = self._told, self._event, self._data, self._placed
        self._begin()
        if not told:
            return None
        return Frame(
            event=(event or "message") if data else "",
            data="\n".join(data),
            id=self._id,
            placed=placed,
        )
