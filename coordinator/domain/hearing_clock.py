"""Measures silence on a clock that runs only while the coordinator hears agents.

A coordinator that was down, frozen or without its broker has not heard anybody, and that says
nothing about the fleet. Neither does a jump of the wall clock.
"""

from __future__ import annotations

__all__ = ["LONGEST_STEP", "HearingClock"]

LONGEST_STEP = 5.0
"""Seconds that may pass between two looks at the clock; more means that this process stood still,
and only so much is counted. It must be looked at more often than that."""


class HearingClock:
    """Counts the seconds in which agents were heard. The caller tells the time, on a monotonic clock."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._looked: float | None = None

    @property
    def hearing(self) -> bool:
        """Whether agents are heard now."""
        return self._looked is not None

    def start(self, now: float) -> None:
        """From now on agents are heard."""
        if self._looked is None:
            self._looked = now

    def stop(self, now: float) -> None:
        """Agents are not heard any more."""
        self.at(now)
        self._looked = None

    def at(self, now: float) -> float:
        """Seconds of hearing until ``now``; never less than before."""
        if self._looked is not None and now > self._looked:
            self._heard += min(now - self._looked, LONGEST_STEP)
            self._looked = now
        return self._heard
