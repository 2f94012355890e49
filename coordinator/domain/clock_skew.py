"""Measures how far an agent's clock is from this process's, by its heartbeats. Pure.

    sent at 12:00:20 by the agent's clock, heard at 12:00:00.3 by this one   ─▶ 19.7 s ahead, at least

What is on its way, or waits for this process to hear it, makes a clock look slower than it is and
never faster. So the largest difference of several beats is the nearest to the truth.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

__all__ = ["SKEW_BOUND", "ClockSkew", "told_by_our_clock"]

BEATS = 8
"""The latest of one process that are compared: some minute, so that a clock that was put right is soon
believed."""

FEWEST = 3
"""With fewer nothing is told: each may have been late."""

SKEW_BOUND = timedelta(seconds=2)
"""More than transit, and than what an instant loses that is told in whole seconds: from here on a clock
is said to be wrong."""


class ClockSkew:
    """Of one agent; begins anew with each process of it."""

    def __init__(self) -> None:
        self._instance: str | None = None
        self._ahead: deque[timedelta] = deque(maxlen=BEATS)

    def note(self, instance: str, *, sent_at: datetime, heard_at: datetime) -> timedelta | None:
        """Take in a beat; how far the agent's clock is ahead, negative where it is behind, or None
        where that cannot be told yet.
        """
        if instance != self._instance:
            self._instance = instance
            self._ahead.clear()
        self._ahead.append(sent_at - heard_at)
        return None if len(self._ahead) < FEWEST else max(self._ahead)


def told_by_our_clock(time: datetime, skew: timedelta | None, now: datetime) -> datetime:
    """An instant of an agent's clock, by this process's: put right by the ``skew`` where that is more
    than transit, and never in the future, since what is told has happened.
    """
    if skew is not None and abs(skew) > SKEW_BOUND and _EARLY < time < _LATE:
        time -= skew
    return min(time, now)


_EARLY = datetime.fromisoformat("1970-01-02T00:00:00+00:00")
_LATE = datetime.fromisoformat("9990-01-01T00:00:00+00:00")
"""Beyond these a sum might leave the calendar, and nothing is right anyway."""
