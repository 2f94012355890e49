"""Counts, for each caller of the API, its tasks that are still to be done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State
from coordinator.errors import LedgerUnavailable
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import tasks as table

__all__ = ["CallersTasks", "tasks_to_be_done"]

logger = logging.getLogger(__name__)

COUNTED_EVERY = 2.0
"""Seconds."""

TO_BE_DONE = (State.SCHEDULED, State.QUEUED, State.WAITING)


class CallersTasks:
    """Counts in the ledger every two seconds, and has ``told`` called with the numbers, by caller."""

    def __init__(
        self,
        ledger: Ledger,
        told: Callable[[Mapping[str, int]], None],
        *,
        counted_every: float = COUNTED_EVERY,
    ) -> None:
        self._ledger = ledger
        self._told = told
        self._counted_every = counted_every

    async def count(self) -> None:
        """Raises `LedgerUnavailable`."""
        self._told(await self._ledger.read(tasks_to_be_done))

    async def run(self) -> NoReturn:
        """Ends only by cancellation; while the ledger is away, what was counted last counts."""
        while True:
            await asyncio.sleep(self._counted_every)
            try:
                await self.count()
            except LedgerUnavailable as exc:
                logger.debug("tasks of callers are not counted now: %s", exc)


def tasks_to_be_done(connection: Connection) -> dict[str, int]:
    """By caller, those that wait on a queue, for their time, or for another attempt."""
    query = (
        sa.select(table.c.submitted_by, sa.func.count())
        .where(
            table.c.state.in_([state.value for state in TO_BE_DONE]),
            table.c.submitted_by.is_not(None),
        )
        .group_by(table.c.submitted_by)
    )
    return {caller: count for caller, count in connection.execute(query) if isinstance(caller, str)}
