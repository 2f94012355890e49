"""Finds tasks that missed their deadline: those that should have started by now and did not."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import IN_HAND, Task
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.task_rows import tasks_of

__all__ = ["OverdueTasks", "overdue"]


class OverdueTasks:
    """Reads an index that holds only tasks that have a deadline and have not ended."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def since(self, instant: datetime, /, *, most: int) -> list[Task]:
        """Those whose deadline was at or before ``instant``, the longest overdue first. Raises
        `LedgerUnavailable`.
        """
        return await self._ledger.read(partial(overdue, instant, most))


_NOT_OVERDUE = [state.value for state in IN_HAND]
"""What else goes on has not started."""


def overdue(deadline: datetime, most: int, connection: Connection) -> list[Task]:
    """Reads the index alone that has no task without a deadline, and none that has ended."""
    query = (
        sa.select(tasks)
        .where(
            tasks.c.expires_at <= micros(deadline),
            tasks.c.ended_at.is_(None),
            tasks.c.state.not_in(_NOT_OVERDUE),
        )
        .order_by(tasks.c.expires_at)
        .limit(most)
    )
    return tasks_of(connection.execute(query).all())
