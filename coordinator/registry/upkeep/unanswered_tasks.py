"""Finds tasks that wait for an answer of people beyond its time, in the ledger."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import Task
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.task_rows import tasks_of

__all__ = ["UnansweredTasks"]


class UnansweredTasks:
    """Reads an index that holds only tasks whose question has a time."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def since(self, instant: datetime, /, *, most: int) -> list[Task]:
        """Those whose time was over at ``instant``, the longest first. Raises `LedgerUnavailable`."""
        return await self._ledger.read(partial(_unanswered, instant, most))


def _unanswered(instant: datetime, most: int, connection: Connection) -> list[Task]:
    query = (
        sa.select(tasks)
        .where(tasks.c.answer_by <= micros(instant))
        .order_by(tasks.c.answer_by)
        .limit(most)
    )
    return [task for task in tasks_of(connection.execute(query)) if task.question is not None]
