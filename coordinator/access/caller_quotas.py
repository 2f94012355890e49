"""Bounds what one caller may have at a time: requests that wait for the end of a task, and schedules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from coordinator.errors import TooManyRequests

__all__ = ["CallerQuotas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerQuotas:
    """Holds the quotas, 0 for none, and counts who waits in this process."""

    waiters: int = 0
    schedules: int = 0
    _waiting: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def waiting(self, caller: str) -> Iterator[None]:
        """The block waits for ``caller``. Raises `TooManyRequests`."""
        if self.waiters and self._waiting[caller] >= self.waiters:
            raise TooManyRequests(
                f"{self.waiters} requests wait for tasks already, as many as one caller may have: wait"
                " for one of them to be answered"
            )
        self._waiting[caller] += 1
        try:
            yield
        finally:
            self._waiting[caller] -= 1
            if not self._waiting[caller]:
                del self._waiting[caller]
