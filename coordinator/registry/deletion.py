"""Deletes one ended task by request, with all that was said of it; the totals keep counting it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import Task
from coordinator.errors import LedgerBehind, TaskNotFound, WrongState
from coordinator.protocol.task import TaskMessage

from . import schema
from .forgetting import forget
from .ledger import Ledger
from .task_rows import task_of

__all__ = ["TaskDeletion"]


class TaskDeletion:
    """``find`` is `Registry.standing`."""

    def __init__(
        self, *, ledger: Ledger, find: Callable[[str], Awaitable[tuple[Task, TaskMessage]]]
    ) -> None:
        self._ledger = ledger
        self._find = find

    async def delete(self, task_id: str) -> None:
        """Raises `TaskNotFound`; `WrongState` for a task that has not ended, or whose message may
        still be on its queue; `LedgerBehind` or `LedgerUnavailable`.
        """
        task, _ = await self._find(task_id)
        if not task.ended:
            raise WrongState(f"The task is {task.state}: cancel it before you delete it")
        await self._ledger.write(partial(_delete, task_id))


def _delete(task_id: str, connection: Connection) -> None:
    """Looks again: between the two a redrive may have been folded, and an end may not yet be."""
    query = sa.select(schema.tasks).where(schema.tasks.c.task_id == task_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise TaskNotFound(task_id)
    task = task_of(row)
    if not task.ended:
        raise LedgerBehind("The task's end is not in the ledger yet: ask again shortly")
    if not task.gone:
        raise WrongState(
            f"The task is {task.state}, but its message may still be on its queue, and whoever takes"
            " it must be told: delete it once an agent has taken and discarded the message"
        )
    forget(connection, [task_id])
