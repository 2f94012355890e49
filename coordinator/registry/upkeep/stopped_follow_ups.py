"""Finds follow-up tasks that are to be cancelled, since their parent was stopped."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import Task
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import cancellations, micros, tasks
from coordinator.registry.tables.task_rows import tasks_of

__all__ = ["StoppedFollowUps"]


class StoppedFollowUps:
    """Reads the orders that the fold has left, which are there until the tasks have ended."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def since(self, instant: datetime, /, *, most: int) -> list[Task]:
        """Those that were ordered by ``instant``, the first first. Raises `LedgerUnavailable`."""
        return await self._ledger.read(partial(_ordered, instant, most))


def _ordered(instant: datetime, most: int, connection: Connection) -> list[Task]:
    query = (
        sa.select(tasks)
        .join(cancellations, cancellations.c.task_id == tasks.c.task_id)
        .where(cancellations.c.ordered_at <= micros(instant), tasks.c.ended_at.is_(None))
        .order_by(cancellations.c.ordered_at, cancellations.c.task_id)
        .limit(most)
    )
    return tasks_of(connection.execute(query).all())
