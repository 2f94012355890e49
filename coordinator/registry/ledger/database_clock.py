"""Gives all coordinators of one ledger the same time: PostgreSQL's clock, or this machine's with SQLite.

What one coordinator writes another reads: until when a lease or a claim lasts, when something is due,
when a task must have started. By clocks of their own, one that is ahead would take what is still
another's. (A file of SQLite is on the machine of all its coordinators.)
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.errors import LedgerUnavailable
from coordinator.protocol.reference_clock import ReferenceClock

from .ledger import Ledger

__all__ = ["DatabaseClock"]

COMPARED_EVERY = 10.0
"""Seconds: a clock that was set wrong is followed for no longer."""


class DatabaseClock:
    """Follows the database's clock: `compare` first, `run` meanwhile.

    ``own`` is this process's clock; ``compared_every``: seconds between two comparisons.
    """

    def __init__(
        self,
        ledger: Ledger,
        own: ReferenceClock | None = None,
        *,
        compared_every: float = COMPARED_EVERY,
    ) -> None:
        self._ledger = ledger
        self._compared_every = compared_every
        self._clock = own or ReferenceClock()

    def now(self) -> datetime:
        """In UTC, by the comparison that was made last."""
        return self._clock.now()

    async def compare(self) -> None:
        """Ask the database for its time. Raises `LedgerUnavailable`."""
        asked_at = self._clock.own()
        told = await self._ledger.read(_its_time)
        if told is not None:
            self._clock.compare(told, asked_at=asked_at)

    async def run(self) -> NoReturn:
        """Ends only by cancellation; while the ledger is away, what was told last counts."""
        while True:
            await asyncio.sleep(self._compared_every)
            with suppress(LedgerUnavailable):
                await self.compare()


def _its_time(connection: Connection) -> datetime | None:
    """None where the database has no clock but this machine's."""
    if connection.dialect.name != "postgresql":
        return None
    told: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return told.astimezone(UTC)
