"""Counts the requests of each caller by the library `limits`, and refuses those beyond the limit.

By key, or by address where no credential is asked for. The window slides: the count of the last one
goes in by the share of it that is still within reach, which takes two numbers a caller, however many
requests there are. Each process counts by itself.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from coordinator.errors import InvalidRequest, TooManyRequests

__all__ = ["RateState", "RequestRates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """Tells what is left to a caller."""

    quota: int
    window: int
    """Seconds."""
    remaining: int
    reset: int
    """Seconds until more is left."""


class RequestRates:
    """Limits each caller to ``rate``, such as `600/minute`."""

    def __init__(self, rate: str) -> None:
        from limits import parse  # noqa: PLC0415 - loads much, and few services need it
        from limits.storage import MemoryStorage  # noqa: PLC0415
        from limits.strategies import SlidingWindowCounterRateLimiter  # noqa: PLC0415

        self._item = parse(rate)
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    def spend(self, caller: str, cost: int = 1) -> None:
        """Count ``cost`` requests of ``caller``. Raises `TooManyRequests`, or `InvalidRequest` for what no
        waiting makes right.
        """
        if cost > self._item.amount:
            raise InvalidRequest(
                f"The request costs {cost}, and {self._item.amount} are allowed in"
                f" {self._item.get_expiry()} seconds: send fewer tasks in one batch",
                field="tasks",
            )
        if not self._limiter.hit(self._item, caller, cost=cost):
            state = self.state(caller)
            raise TooManyRequests(
                f"These are more than {self._item.amount} requests, or tasks in batches, in"
                f" {self._item.get_expiry()} seconds: send again in {state.reset}",
                retry_after=state.reset,
            )

    def state(self, caller: str) -> RateState:
        """What is left to ``caller`` now."""
        stats = self._limiter.get_window_stats(self._item, caller)
        return RateState(
            quota=self._item.amount,
            window=self._item.get_expiry(),
            remaining=max(0, stats.remaining),
            reset=max(1, int(stats.reset_time - time.time()) + 1),
        )
