"""Finds task queues that nobody uses, and tasks whose queue is not open, in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection

from coordinator.domain.task import ENDED, State
from coordinator.protocol.lanes import lane_serves
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.task_queue_rows import open_task_queues
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["IdleTaskQueues", "OpenTaskQueue", "TaskQueueUse"]

OpenTaskQueue = tuple[TaskQueue, Requirements]

_UNFINISHED = [state.value for state in State if state not in ENDED]
_ON_A_QUEUE = [State.QUEUED.value, State.RUNNING.value, State.INPUT_REQUIRED.value]


@dataclass(frozen=True, slots=True)
class TaskQueueUse:
    """Tells of a task queue what the ledger has of it."""

    opened: bool
    """Whether it is open."""
    unfinished: bool
    """Whether it has tasks that have not ended, wherever they are."""


class IdleTaskQueues:
    """Reads in one transaction for each question, over all tasks where it has to be: not for the hot
    path. Raises `LedgerUnavailable`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def stored(self) -> list[OpenTaskQueue]:
        """Every task queue that is open, says the ledger."""
        return await self._ledger.read(open_task_queues)

    async def unused(self, since: datetime) -> list[OpenTaskQueue]:
        """Opened before, and since then without any task that was submitted, waited or ended."""
        return await self._ledger.read(partial(_unused, micros(since)))

    async def standing(self, source: TaskQueue) -> TaskQueueUse:
        """What the ledger has of one task queue at this moment."""
        return await self._ledger.read(partial(_standing, source))

    async def homeless(self) -> list[OpenTaskQueue]:
        """Those that tasks should be on, and that are not open."""
        return await self._ledger.read(_homeless)


def _unused(since: int, connection: Connection) -> list[OpenTaskQueue]:
    tasks, table = schema.tasks.c, schema.sources.c
    used = sa.select(tasks.lane, tasks.priority).where(
        tasks.state.in_(_UNFINISHED) | (tasks.submitted_at >= since) | (tasks.ended_at >= since)
    )
    busy = {(row.lane, row.priority) for row in connection.execute(used.distinct())}
    old = sa.select(table.lane, table.priority).where(table.opened_at < since)
    idle = {(row.lane, row.priority) for row in connection.execute(old)} - busy
    return [
        one for one in open_task_queues(connection) if (one[0].lane, one[0].priority.value) in idle
    ]


def _standing(source: TaskQueue, connection: Connection) -> TaskQueueUse:
    opened, tasks = schema.sources.c, schema.tasks.c
    is_open = sa.exists().where(
        opened.lane == source.lane, opened.priority == source.priority.value
    )
    unfinished = sa.exists().where(
        tasks.lane == source.lane,
        tasks.priority == source.priority.value,
        tasks.state.in_(_UNFINISHED),
    )
    row = connection.execute(sa.select(is_open, unfinished)).one()
    return TaskQueueUse(opened=bool(row[0]), unfinished=bool(row[1]))


def _homeless(connection: Connection) -> list[OpenTaskQueue]:
    tasks, opened = schema.tasks.c, schema.sources.c
    has_source = sa.exists().where(opened.lane == tasks.lane, opened.priority == tasks.priority)
    query = (
        sa.select(tasks.lane, tasks.priority, sa.func.min(tasks.submission).label("submission"))
        .where(tasks.state.in_(_ON_A_QUEUE), tasks.lane.is_not(None), ~has_source)
        .group_by(tasks.lane, tasks.priority)
    )
    rows = connection.execute(query).all()
    return list(readable(rows, partial(_of, connection), schema.sources))


def _of(connection: Connection, row: Any) -> OpenTaskQueue:
    events = schema.events.c
    query = sa.select(events.data).where(events.id == row.submission, events.agent_id == "")
    found: Sequence[str] = connection.execute(query).scalars().all()
    source = TaskQueue(row.lane, Priority(row.priority))
    if not found:
        return source, Requirements()
    task = TaskMessage.model_validate(from_json(found[0])["task"])
    if lane_serves(source.lane, task.wanted):
        return source, task.wanted
    # Its type got a lane after it was submitted.
    return source, replace(task.wanted, task_type=task.task_type)
