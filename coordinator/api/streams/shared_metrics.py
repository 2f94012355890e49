"""Measures the statistics of the service for all who subscribe to them: once in a while, and once for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from coordinator.errors import CoordinatorError

__all__ = ["SharedMetrics"]

EVERY = 5.0
"""Seconds between two messages to one subscriber, and between two measurements."""


class SharedMetrics:
    """Nothing is measured while nobody subscribes. ``measure`` returns a message; it may raise a
    `CoordinatorError`, and then the next one is waited for.
    """

    def __init__(
        self,
        measure: Callable[[], Awaitable[str]],
        *,
        every: float = EVERY,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._measure = measure
        self._every = every
        self._monotonic = monotonic
        self._one_at_a_time = asyncio.Lock()
        self._text: str | None = None
        self._measured_at = -every

    async def texts(self) -> AsyncIterator[str]:
        """One at once, and others as time goes by."""
        while True:
            text = await self._latest()
            if text is not None:
                yield text
            await asyncio.sleep(self._every)

    async def _latest(self) -> str | None:
        async with self._one_at_a_time:
            if self._monotonic() - self._measured_at >= self._every:
                try:
                    self._text = await self._measure()
                except CoordinatorError:
                    self._text = None
                self._measured_at = self._monotonic()
            return self._text
