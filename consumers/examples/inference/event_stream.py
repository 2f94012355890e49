"""Reads Server-Sent Events from an answer, within a limit of bytes; the standard library is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

__all__ = ["TooMuchSaid", "data_of_events"]


class TooMuchSaid(Exception):
    """Says that the stream has more bytes than are read."""


class ReadsLines(Protocol):
    """An answer of `urllib`: ``readline(limit)`` returns a line, or as much of it; empty at the end."""

    def readline(self, limit: int, /) -> bytes: ...


def data_of_events(stream: ReadsLines, *, most: int) -> Iterator[str]:
    """The data of each event as it comes: its lines that begin with `data:`, joined. An event whose end did
    not come is left out. Raises `TooMuchSaid` beyond ``most`` bytes, and what reading raises.
    """
    read = 0
    data: list[str] = []
    while line := stream.readline(most + 1 - read):
        read += len(line)
        if read > most:
            raise TooMuchSaid
        text = line.decode(errors="replace").rstrip("\r\n")
        if text.startswith("data:"):
            data.append(text[5:].removeprefix(" "))
        elif not text and data:
            yield "\n".join(data)
            data.clear()
