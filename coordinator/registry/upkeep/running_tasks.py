"""Reads the tasks that run, as the ledger has it, and which later tasks of their queues have started."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import IN_HAND, Task
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.task_message_lookup import contents
from coordinator.registry.tables.task_rows import tasks_of

from .missing_tasks import messages_of, newest_started

__all__ = ["RunningTasks"]

MOST = 10_000
"""Tasks that are looked at, the first that were submitted: as many run in a large fleet."""


class RunningTasks:
    """Reads all that runs: not for the hot path. Raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def look(self) -> list[Task]:
        """Those that run; not those whose own message was not folded yet."""
        return await self._ledger.read(_running)

    async def passed(self, tasks: Sequence[Task]) -> dict[str, int]:
        """By task, where in the log the message was of the newest task of its queue that has started,
        of those that came after its own newest message; 0 for none.
        """
        return await self._ledger.read(partial(_passed, tasks))

    async def messages(self, tasks: Sequence[Task]) -> dict[str, TaskMessage]:
        """What the tasks hold, by task."""
        return await self._ledger.read(partial(_contents, tasks))


def _running(connection: Connection) -> list[Task]:
    tasks = schema.tasks.c
    known = (tasks.agent_id, tasks.started_at, tasks.lane, tasks.priority)
    whole = sa.and_(tasks.content > 0, *(column.is_not(None) for column in known))
    query = (
        sa.select(schema.tasks)
        .where(tasks.state.in_([state.value for state in IN_HAND]), whole)
        .order_by(tasks.submitted_at, tasks.task_id)
        .limit(MOST)
    )
    return tasks_of(connection.execute(query).all())


def _contents(tasks: Sequence[Task], connection: Connection) -> dict[str, TaskMessage]:
    return contents(connection, tasks)


def _passed(tasks: Sequence[Task], connection: Connection) -> dict[str, int]:
    messages = messages_of(connection, {task.task_id for task in tasks})
    newest = {queue: newest_started(connection, *queue) for queue in _queues(tasks)}
    by_queue = {(lane, priority): position for (lane, priority, _), position in newest.items()}
    passed: dict[str, int] = {}
    for task in tasks:
        own = messages.get(task.task_id)
        position = by_queue[str(task.lane), str(task.priority)]
        passed[task.task_id] = position if own is not None and own.last < position else 0
    return passed


def _queues(tasks: Iterable[Task]) -> set[tuple[str, str, int]]:
    """Lane and priority of each, and when the first of these tasks was submitted."""
    first: dict[tuple[str, str], int] = {}
    for task in tasks:
        queue = str(task.lane), str(task.priority)
        submitted = 0 if task.submitted_at is None else micros(task.submitted_at)
        first[queue] = min(submitted, first.get(queue, submitted))
    return {(lane, priority, since) for (lane, priority), since in first.items()}
