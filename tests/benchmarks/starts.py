"""The starts of tasks, as all contestants record them (`work.py`)."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from .work import RECORD

__all__ = ["Start", "Starts"]


@dataclass(frozen=True, slots=True)
class Start:
    sent: float
    """When its submission was sent; 0 where it was queued before."""
    at: float
    """When its handler began."""


class Starts:
    """The file grows by a record for each start; `forget` begins to count anew."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._from = 0
        path.touch()

    def forget(self) -> None:
        self._from = self.path.stat().st_size

    @property
    def count(self) -> int:
        return (self.path.stat().st_size - self._from) // RECORD.size

    def all(self) -> list[Start]:
        """Sorted by time."""
        with self.path.open("rb") as file:
            file.seek(self._from)
            records = RECORD.iter_unpack(file.read(self.count * RECORD.size))
        return sorted((Start(sent, at) for sent, at in records), key=lambda start: start.at)

    async def reach(self, count: int, *, pause: float = 0.05, patience: float = 600) -> None:
        until = time.monotonic() + patience
        while self.count < count:
            if time.monotonic() > until:
                raise AssertionError(f"{self.count} of {count} tasks were started")
            await asyncio.sleep(pause)
