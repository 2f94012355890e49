"""Tells the time by the clock that counts: the coordinator's for an agent, which judges deadlines; the
database's for the coordinators that share it, which keep apart by it who does what until when.

    own clock    11:59:40 asked ................. 11:59:41 answered
    the answer   "it was 12:00:00 here"           ─▶ own clock is 19 s behind, at least

An answer takes its time, so only what that cannot explain counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["ReferenceClock"]

SET = 1.0
"""Seconds by which the own clock and the steady one may part before the clock counts as set."""


class ReferenceClock:
    """Until `compare` it is the process's own clock."""

    def __init__(
        self,
        *,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._behind = timedelta()
        self._apart: float | None = None

    def own(self) -> datetime:
        """By the process's own clock."""
        return self._wall()

    def now(self) -> datetime:
        """By the one that counts, as far as it is known."""
        return self._wall() + self._behind

    def compare(self, theirs: datetime, *, asked_at: datetime) -> None:
        """The other clock was there, some time between then and now by `own`."""
        longest, shortest = theirs - asked_at, theirs - self._wall()
        self._behind = min(longest, max(shortest, timedelta()))
        self._apart = self._parted()

    @property
    def was_set(self) -> bool:
        """Whether the own clock was set since, or the machine slept: to be compared again."""
        return self._apart is not None and abs(self._parted() - self._apart) > SET

    def _parted(self) -> float:
        return self._wall().timestamp() - self._monotonic()
