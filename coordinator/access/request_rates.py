"""Counts the requests of each caller in a token bucket, by `throttled`, and refuses those beyond it.

By key, or by address where no credential is asked for. A bucket holds as many requests as the rate names,
and fills evenly: of `600/minute` one is back after 0.1 s. The library keeps a bucket as the instant at which
it is full again (the generic cell rate algorithm, GCRA), one number a caller. Each process counts by itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta

from coordinator.errors import InvalidRequest, TooManyRequests

__all__ = ["RateState", "RequestRates"]

MOST_CALLERS = 100_000
"""Buckets that are kept; beyond them the oldest is forgotten, and that caller begins with a full one."""

_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateState:
    """Tells what is left to a caller."""

    quota: int
    window: int
    """Seconds in which an empty bucket is full again."""
    remaining: int
    reset: int
    """Seconds until this one is full again."""


class RequestRates:
    """Limits each caller to ``rate``, such as `600/minute`."""

    def __init__(self, rate: str) -> None:
        from throttled import RateLimiterType, Throttled  # noqa: PLC0415 - few services need it
        from throttled.rate_limiter import per_duration  # noqa: PLC0415
        from throttled.store import MemoryStore  # noqa: PLC0415

        amount, _, unit = rate.partition("/")
        self._amount, self._window = int(amount), _SECONDS[unit]
        self._buckets = Throttled(
            using=RateLimiterType.GCRA.value,
            quota=per_duration(timedelta(seconds=self._window), self._amount),
            store=MemoryStore(options={"MAX_SIZE": MOST_CALLERS}),
        )

    def spend(self, caller: str, cost: int = 1, *, paid: int = 0) -> None:
        """Take ``cost`` requests out of the bucket of ``caller``, of which ``paid`` were taken before.
        Raises `TooManyRequests` with the seconds until it has as many, or `InvalidRequest` for more than it
        ever holds.
        """
        if cost > self._amount:
            raise InvalidRequest(
                f"The request costs {cost}, and {self._amount} are allowed in"
                f" {self._window} seconds: send fewer tasks in one batch",
                field="tasks",
            )
        taken = self._buckets.limit(caller, cost=cost - paid)
        if taken.limited:
            # What it has cost so far is spent, and is asked for again.
            wait = taken.state.retry_after + paid * self._window / self._amount
            seconds = max(1, math.ceil(wait))
            raise TooManyRequests(
                f"These are more than {self._amount} requests, or tasks in batches, in"
                f" {self._window} seconds: send again in {seconds} s",
                retry_after=seconds,
            )

    def state(self, caller: str) -> RateState:
        """What is left to ``caller`` now."""
        state = self._buckets.peek(caller)
        return RateState(
            quota=self._amount,
            window=self._window,
            remaining=state.remaining,
            reset=math.ceil(state.reset_after),
        )
