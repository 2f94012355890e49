"""Finds queued tasks that were overtaken: later ones of the same queue have started, and they have not.

"Later" is by the log's order alone. What is compared errs on the safe side: of the task that waits its
newest message counts, of the one that started its oldest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State, Task
from coordinator.protocol.messages.events import TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.event_rows import chunks
from coordinator.registry.tables.task_message_lookup import contents
from coordinator.registry.tables.task_rows import tasks_of

__all__ = ["MissingTask", "MissingTasks", "messages_of", "newest_started"]

MOST = 2000
"""Tasks of one queue that are looked at, the first that were submitted: there are few that wait and
were submitted before one that started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingTask:
    """Is a task that waits, as the ledger sees it."""

    task: Task
    position: int
    """Where in the log its newest message was."""
    passed: int
    """Where in the log the message was of the newest task of its queue that has started."""
    republished: int
    """How often it was found missing from its queue before."""


class MissingTasks:
    """Reads every queued task: not for the hot path. Raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def look(self, doubted: Sequence[str] = ()) -> list[MissingTask]:
        """All of them, queue by queue, and the ``doubted`` that are queued, overtaken or not."""
        return await self._ledger.read(partial(_found, doubted))

    async def messages(self, tasks: Sequence[Task]) -> dict[str, TaskMessage]:
        """What the tasks hold, by task."""
        return await self._ledger.read(partial(_contents, tasks))


def _found(doubted: Sequence[str], connection: Connection) -> list[MissingTask]:
    found = {one.task.task_id: one for one in _overtaken(connection)}
    asked = [task_id for task_id in doubted if task_id not in found]
    return [*found.values(), *_queued(connection, asked)]


def _queued(connection: Connection, task_ids: Iterable[str]) -> Iterator[MissingTask]:
    """Those of the tasks that are queued; nothing is known to have passed them."""
    tasks = schema.tasks.c
    queued = (tasks.state == State.QUEUED.value) & tasks.lane.is_not(None)
    for ids in chunks(task_ids):
        rows = connection.execute(sa.select(schema.tasks).where(queued, tasks.task_id.in_(ids)))
        waiting = {task.task_id: task for task in tasks_of(rows.all())}
        for task_id, found in messages_of(connection, waiting).items():
            yield MissingTask(
                task=waiting[task_id],
                position=found.last,
                passed=0,
                republished=found.republished,
            )


def _contents(tasks: Sequence[Task], connection: Connection) -> dict[str, TaskMessage]:
    return contents(connection, tasks)


def _overtaken(connection: Connection) -> Iterator[MissingTask]:
    tasks = schema.tasks.c
    queued = tasks.state == State.QUEUED.value
    queues = (
        sa.select(tasks.lane, tasks.priority, sa.func.min(tasks.submitted_at).label("first"))
        .where(queued, tasks.lane.is_not(None), tasks.submitted_at.is_not(None))
        .group_by(tasks.lane, tasks.priority)
    )
    for queue in connection.execute(queues).all():
        same = _of_queue(queue.lane, queue.priority)
        started = _newest_started(connection, same, queue.first)
        if started is None:
            continue
        message = messages_of(connection, [started.task_id]).get(started.task_id)
        if message is None:
            continue
        before = (
            sa.select(schema.tasks)
            .where(queued, same, tasks.submitted_at < started.submitted_at)
            .order_by(tasks.submitted_at)
            .limit(MOST)
        )
        yield from _passed_over(connection, connection.execute(before).all(), message.first)


def newest_started(connection: Connection, lane: str, priority: str, since: int) -> int:
    """Where in the log the message was of the newest task of this queue that has started, of those
    submitted after ``since``; 0 where there is none.
    """
    started = _newest_started(connection, _of_queue(lane, priority), since)
    if started is None:
        return 0
    message = messages_of(connection, [started.task_id]).get(started.task_id)
    return 0 if message is None else int(message.first)


def _of_queue(lane: str, priority: str) -> sa.ColumnElement[bool]:
    return (schema.tasks.c.lane == lane) & (schema.tasks.c.priority == priority)


def _newest_started(
    connection: Connection, same: sa.ColumnElement[bool], since: int
) -> sa.Row[Any, Any] | None:
    tasks = schema.tasks.c
    newest = (
        sa.select(tasks.task_id, tasks.submitted_at)
        .where(same, tasks.started > 0, tasks.submitted_at > since)
        .order_by(tasks.submitted_at.desc())
        .limit(1)
    )
    return connection.execute(newest).first()


def _passed_over(
    connection: Connection, rows: Iterable[sa.Row[Any]], passed: int
) -> Iterator[MissingTask]:
    waiting = {task.task_id: task for task in tasks_of(rows)}
    for task_id, found in messages_of(connection, waiting).items():
        if found.last < passed:
            yield MissingTask(
                task=waiting[task_id],
                position=found.last,
                passed=passed,
                republished=found.republished,
            )


def messages_of(connection: Connection, task_ids: Iterable[str]) -> dict[str, Any]:
    """Where the messages of each task were in the log, the first and the last."""
    events = schema.events.c
    again = sa.case((events.id.like("%.again-%"), 1), else_=0)
    found: dict[str, Any] = {}
    for ids in chunks(task_ids):
        query = (
            sa.select(
                events.subject,
                sa.func.min(events.position).label("first"),
                sa.func.max(events.position).label("last"),
                sa.func.sum(again).label("republished"),
            )
            .where(events.subject.in_(ids), events.type == TaskSubmitted.TYPE)
            .group_by(events.subject)
        )
        found.update((row.subject, row) for row in connection.execute(query))
    return found
