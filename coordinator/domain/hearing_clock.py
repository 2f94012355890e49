"""The clock that silence is measured on: it runs only while the coordinator can hear.

A coordinator that was down, frozen or without its broker has not heard anybody, and that says
nothing about the fleet. Neither does a jump of the wall clock.
"""

from __future__ import annotations

__all__ = ["LONGEST_STEP", "HearingClock"]

LONGEST_STEP = 5.0
"""Seconds that may pass between two looks at the clock; more means that this process stood still,
and only so much is counted. It must be looked at more often than that."""


class HearingClock:
    """Seconds of listening. The caller says what time it is, on a monotonic clock."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._looked: float | None = None

    @property
    def listening(self) -> bool:
        return self._looked is not None

    def listen(self, now: float) -> None:
        """From now on agents are heard."""
        if self._looked is None:
            self._looked = now

    def stop(self, now: float) -> None:
        """Agents are not heard any more."""
        self.at(now)
        self._looked = None

    def at(self, now: float) -> float:
        """Seconds of listening until ``now``; never less than before."""
        if self._looked is not None and now > self._looked:
            self._heard += min(now - self._looked, LONGEST_STEP)
            self._looked = now
        return self._heard
