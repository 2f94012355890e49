"""Keeps a task that may have crashed other agents alone in this one for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from .attempt import Attempt

__all__ = ["CrashProbation"]


class CrashProbation:
    """Isolates one suspect attempt, so that it takes no others with it. ``on_end`` is called once it has
    lived for ``length``, or is settled before: others may be taken beside it.
    """

    def __init__(self, length: timedelta, *, on_end: Callable[[], None]) -> None:
        self._length = length
        self._on_end = on_end
        self._suspect: Attempt | None = None

    @property
    def active(self) -> bool:
        """Whether nothing may be started beside the suspect."""
        return self._suspect is not None

    def begin(self, suspect: Attempt) -> None:
        """``suspect`` has just started; nothing is started beside it."""
        self._suspect = suspect
        loop = asyncio.get_running_loop()
        loop.call_later(self._length.total_seconds(), self.end, suspect)

    def end(self, attempt: Attempt) -> None:
        """Nothing happens where ``attempt`` is not the suspect."""
        if self._suspect is attempt:
            self._suspect = None
            self._on_end()
