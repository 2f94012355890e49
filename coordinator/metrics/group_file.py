"""Holds the figures of all processes of one service in one file without a name, a part of it for each.

    parent ── opens it, and hands it down ─▶ worker 1 … N, projecting process
    each   ── writes its own part, once a second where something was counted
    asked  ── adds up all parts; a process that took the place of one that died goes on where that was

So any process can tell the sum, and no counter ever goes back while the service runs: Prometheus would
take the step for an increase. What was counted in the last second before a kill is lost. The file ends with
the last process that has it open, and nothing is left behind in a folder.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

__all__ = ["PROJECTING", "GroupFile", "GroupMember", "open_group_file"]

logger = logging.getLogger(__name__)

PART = 512 * 1024
"""Bytes for each process; what is not written takes none on the disk. Usual are some 20 KiB."""

EVERY = 1.0
"""Seconds between two writes."""

_HEAD = struct.Struct("<II")
"""Length and checksum of what follows: a part that is read while it is written is read again."""

TRIES = 5


def open_group_file(processes: int) -> int:
    """The descriptor of a file for so many processes, to be handed down and closed by the caller."""
    with tempfile.TemporaryFile() as file:
        file.truncate(PART * processes)
        return os.dup(file.fileno())


PROJECTING = 0
"""The place of the process that folds the log for others; those that answer requests come behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """Tells which part of the file is this process's."""

    descriptor: int
    place: int

    @property
    def name(self) -> str:
        """Of this process in labels: the same for whichever takes its place."""
        return "projecting" if self.place == PROJECTING else f"worker-{self.place}"

    def as_text(self) -> str:
        """For the command line of the process; `from_text` reads it."""
        return f"{self.descriptor}:{self.place}"

    @classmethod
    def from_text(cls, text: str) -> GroupMember:
        """Raises `ValueError`."""
        descriptor, _, place = text.partition(":")
        return cls(descriptor=int(descriptor), place=int(place))


class GroupFile:
    """Writes this process's part, and reads all. ``content`` is asked for the part, as JSON may have it."""

    def __init__(self, member: GroupMember, content: Callable[[], dict[str, Any]]) -> None:
        self._member = member
        self._content = content
        self._written: bytes = b""

    async def run(self) -> NoReturn:
        """Write what has changed, once a second."""
        while True:
            self.write()
            await asyncio.sleep(EVERY)

    def write(self) -> None:
        """Write it now, where it has changed."""
        text = json.dumps(self._content(), separators=(",", ":")).encode()
        if text == self._written:
            return
        if len(text) > PART - _HEAD.size:
            logger.error("the figures of this process are too many to be told")
            return
        head = _HEAD.pack(len(text), zlib.crc32(text))
        os.pwrite(self._member.descriptor, head + text, self._member.place * PART)
        self._written = text

    def own(self) -> dict[str, Any] | None:
        """What the process before this one, in its place, wrote last; None where this is the first."""
        return self._read(self._member.place)

    def others(self) -> Iterator[dict[str, Any]]:
        """What the other processes wrote last."""
        for place in range(os.fstat(self._member.descriptor).st_size // PART):
            if place != self._member.place:
                found = self._read(place)
                if found is not None:
                    yield found

    def _read(self, place: int) -> dict[str, Any] | None:
        for _ in range(TRIES):
            length, checksum = _HEAD.unpack(
                os.pread(self._member.descriptor, _HEAD.size, place * PART)
            )
            if not length:
                return None
            text = os.pread(self._member.descriptor, length, place * PART + _HEAD.size)
            if zlib.crc32(text) == checksum:
                found: dict[str, Any] = json.loads(text)
                return found
        return None  # killed in the middle of writing
