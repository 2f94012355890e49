"""Deletes one ended task by request, with all that was said of it; the totals keep counting it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State, Task
from coordinator.errors import LedgerBehind, TaskNotFound, WrongState
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.stores.outbox_rows import UNANSWERED
from coordinator.registry.stores.request_turns import RequestTurns
from coordinator.registry.tables import schema
from coordinator.registry.tables.task_rows import task_of

from .task_removal import forget

__all__ = ["RequestedDeletion"]


class FindsCurrentTask(Protocol):
    """Finds a task as the law has it now: `registry.queries.registry.Registry.current_task`."""

    async def __call__(self, task_id: str) -> tuple[Task, TaskMessage]:
        """The task, and the message that its content is from. Raises `TaskNotFound`; `LedgerBehind` or
        `BrokerUnavailable` where that cannot be told yet; or `LedgerUnavailable`.
        """


class RequestedDeletion:
    """Acts on one task at a time, in its turn."""

    def __init__(
        self,
        *,
        turns: RequestTurns,
        find: FindsCurrentTask,
        note: Callable[[str], None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """``note`` is called with the id of each task that was deleted, once it is gone."""
        self._now = now
        self._turns = turns
        self._find = find
        self._note = note

    async def delete(self, task_id: str) -> None:
        """Raises `TaskNotFound`; `WrongState` for a task that has not ended, or whose message may
        still be on its queue; what `RequestTurns.take` raises where others act on it.
        """
        await self._check_ended(task_id)
        try:
            await self._turns.alone(task_id, partial(_delete, task_id, self._now()))
        except LedgerBehind:
            await self._check_ended(task_id)  # it may have been sent round again meanwhile
            raise
        self._note(task_id)

    async def _check_ended(self, task_id: str) -> None:
        task, _ = await self._find(task_id)
        if not task.ended:
            raise WrongState(f"The task is {task.state}: cancel it before you delete it")


def _delete(task_id: str, now: datetime, connection: Connection) -> None:
    """Looks again: meanwhile a redrive may have been folded, and an end may not yet be."""
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
    if _may_be_on_its_way(task, now):
        raise WrongState(
            f"The task was {task.state} a moment ago, and its message may have been on its way to its"
            f" queue: delete it in {UNANSWERED.total_seconds():.0f} seconds"
        )
    forget(connection, [task_id])


def _may_be_on_its_way(task: Task, now: datetime) -> bool:
    """Whether it ended while an attempt of it was still to come, so lately that a coordinator may have
    been publishing that: folded after the deletion, it would bring the task back.
    """
    if task.state not in (State.CANCELLED, State.EXPIRED) or task.ended_at is None:
        return False
    was_in_hand = task.started >= task.attempt > task.failed
    left_its_queue = task.settled >= task.attempt
    return not (was_in_hand or left_its_queue) and now - task.ended_at < UNANSWERED
