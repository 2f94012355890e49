"""Thins out the progress of a task: an event a second at most, and always the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from ..task import Progress

__all__ = ["ProgressThrottle"]


class ProgressThrottle:
    """Keeps the progress of one attempt. ``tell`` is called, on the loop, with what is worth publishing:
    once in an ``interval`` at most.
    """

    def __init__(self, tell: Callable[[Progress], None], *, interval: timedelta) -> None:
        self._tell = tell
        self._interval = interval.total_seconds()
        self._loop = asyncio.get_running_loop()
        self._next = 0.0
        self._due: asyncio.TimerHandle | None = None
        self._ended = False
        self.latest: Progress | None = None

    def note(self, progress: Progress) -> None:
        """From the loop or from a thread."""
        self._loop.call_soon_threadsafe(self._note, progress)

    def end(self) -> None:
        """Tell what is still to be told; nothing is told after this."""
        if self._due is not None:
            self._due.cancel()
            self._publish()
        self._ended = True

    def _note(self, progress: Progress) -> None:
        if self._ended:
            return
        self.latest = progress
        if self._due is None:
            wait = max(0.0, self._next - self._loop.time())
            self._due = self._loop.call_later(wait, self._publish)

    def _publish(self) -> None:
        self._due = None
        self._next = self._loop.time() + self._interval
        if self.latest is not None and not self._ended:
            self._tell(self.latest)
