"""Measures how far the ledger is behind, in seconds: by a mark that goes through the log.

No clock of another machine is asked, and it is true whichever process folds the log, or none: a mark that
does not come out gets older from scrape to scrape.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.errors import LedgerBehind

__all__ = ["ProjectorLag"]

WITHIN = 0.5
"""Seconds that a scrape waits for its mark; usual are some hundredths of one."""


class ProjectorLag:
    """``catch_up`` is `ReadBarrier.ledger`; ``monotonic`` is a clock in seconds that is never set."""

    def __init__(
        self,
        catch_up: Callable[[], Awaitable[None]],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        within: float = WITHIN,
    ) -> None:
        self._catch_up = catch_up
        self._monotonic = monotonic
        self._within = within
        self._began = 0.0
        self._mark: asyncio.Task[float] | None = None

    async def seconds(self) -> float:
        """Raises `BrokerUnavailable` where no mark can be sent."""
        mark = self._mark
        if mark is None:
            self._began = self._monotonic()
            mark = self._mark = asyncio.create_task(self._through())
        await asyncio.wait([mark], timeout=self._within)
        if not mark.done():
            return self._monotonic() - self._began
        if self._mark is mark:
            self._mark = None
        return mark.result() - self._began

    async def aclose(self) -> None:
        """Wait for no mark any more."""
        if self._mark is not None:
            await cancel_and_wait(self._mark)

    async def _through(self) -> float:
        """When the ledger had all that was in the log at the beginning."""
        while True:
            try:
                await self._catch_up()
            except LedgerBehind:
                continue
            return self._monotonic()
