"""Bounds what one caller may have at a time: tasks to do, requests that wait, streams, schedules, agents.

What lanes it may open is bounded where they are opened: `submission.lane_limits`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from coordinator.errors import TooManyRequests

__all__ = ["CallerQuotas"]

LATER = 5.0
"""Seconds after which tasks may have been done."""


class CallerQuotas:
    """Knows the quotas, 0 for none, and counts who waits and has streams in this process, and who has
    submitted how much.
    """

    def __init__(
        self,
        *,
        tasks: int = 0,
        waiters: int = 0,
        streams: int = 0,
        schedules: int = 0,
        agents: int = 0,
    ) -> None:
        self.schedules = schedules
        """Checked where they are stored."""
        self.agents = agents
        """That it registered; checked where that is done."""
        self._tasks = tasks
        self._waiters = waiters
        self._streams = streams
        self._streaming: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()
        self._counted: Mapping[str, int] = {}
        self._lately: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    def submit(self, caller: str | None, tasks: int = 1) -> None:
        """``caller`` is about to submit so many. Raises `TooManyRequests`."""
        if not self._tasks or caller is None:
            return
        known = self._counted.get(caller, 0) + self._lately[caller] + self._before[caller]
        if known + tasks > self._tasks:
            raise TooManyRequests(
                f"{known} tasks of this caller are still to be done, and it may have {self._tasks}:"
                " submit again when some are",
                retry_after=LATER,
            )
        self._lately[caller] += tasks

    def counted(self, tasks: Mapping[str, int]) -> None:
        """The ledger has so many tasks to be done, by caller. What was submitted since the count before this
        may not be in it yet.
        """
        self._counted = tasks
        self._before, self._lately = self._lately, Counter()

    @contextmanager
    def waiting(self, caller: str) -> Iterator[None]:
        """The block waits for ``caller``. Raises `TooManyRequests`."""
        if self._waiters and self._waiting[caller] >= self._waiters:
            raise TooManyRequests(
                f"{self._waiters} requests wait for tasks already, as many as one caller may have: wait"
                " for one of them to be answered"
            )
        self._waiting[caller] += 1
        try:
            yield
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]

    def open_stream(self, caller: str) -> None:
        """One `close_stream` follows. Raises `TooManyRequests`."""
        if self._streams and self._streaming[caller] >= self._streams:
            raise TooManyRequests(
                f"{self._streams} streams are open already, as many as one caller may have: close one of them"
            )
        self._streaming[caller] += 1

    def close_stream(self, caller: str) -> None:
        """Of one that was opened."""
        self._streaming[caller] -= 1
        if not self._streaming[caller]:
            del self._streaming[caller]
