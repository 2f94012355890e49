"""Reads the tasks that are queued in the ledger and were on a broker that was given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task import Task
from coordinator.errors import OperatorError
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import upsert
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.task_rows import tasks_of

from .missing_tasks import messages_of

__all__ = ["FormerBrokerTask", "FormerBrokerTasks"]

NOTE = "broker_given_up_at"
"""In `meta`: how far the log was folded when the broker was given up. The row goes when all is done."""

CHUNK = 200
"""Tasks that are read at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerBrokerTask:
    """Is a task that waits, and that no queue of this broker was given."""

    task: Task
    republished: int
    """How often it was put on its queue again before."""


class FormerBrokerTasks:
    """Notes that a broker was given up, and reads on. Each method is one transaction and raises
    `LedgerUnavailable`.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def give_up_broker(self) -> None:
        """From now on, whatever is queued must be put on a queue of another broker."""
        await self._ledger.write(_note)

    async def any_broker(self) -> bool:
        """Whether a broker was given up, and its tasks are not all on the new one yet."""
        return await self._ledger.read(_noted) is not None

    async def after(self, last: Task | None) -> list[FormerBrokerTask]:
        """The next after ``last`` that are queued and on no queue, in the order of their submission;
        empty where there are no more.
        """
        return await self._ledger.read(partial(_after, last))

    async def done(self) -> None:
        """All are where they should be."""
        await self._ledger.write(_forget)


def _note(connection: Connection) -> None:
    newest = sa.select(sa.func.coalesce(sa.func.max(schema.events.c.position), 0))
    position = connection.execute(newest).scalar_one()
    upsert(connection, schema.meta, ["name"], [{"name": NOTE, "value": str(position)}])


def _noted(connection: Connection) -> int | None:
    query = sa.select(schema.meta.c.value).where(schema.meta.c.name == NOTE)
    found = connection.execute(query).scalar()
    if found is None or str(found).isdecimal():
        return None if found is None else int(found)
    raise OperatorError(
        f"{NOTE} in the table meta is {found!r}, which is no position: put back a backup of that row,"
        " or delete it where no task of the former broker is missed"
    )


def _forget(connection: Connection) -> None:
    connection.execute(schema.meta.delete().where(schema.meta.c.name == NOTE))


def _after(last: Task | None, connection: Connection) -> list[FormerBrokerTask]:
    """Reads on until it has found some: where most are on their queue again, whole chunks are not."""
    noted = _noted(connection)
    if noted is None:
        return []
    place = None
    if last is not None and last.submitted_at is not None:
        place = micros(last.submitted_at), last.task_id
    while True:
        rows = _queued_after(place, connection)
        if not rows:
            return []
        tasks = tasks_of(rows)
        messages = messages_of(connection, [task.task_id for task in tasks])
        left = [
            FormerBrokerTask(task=task, republished=messages[task.task_id].republished)
            for task in tasks
            if task.task_id in messages and messages[task.task_id].last <= noted
        ]
        if left:
            return left
        place = rows[-1].submitted_at, rows[-1].task_id


def _queued_after(place: tuple[int, str] | None, connection: Connection) -> Sequence[Row[Any]]:
    tasks = schema.tasks.c
    query = sa.select(schema.tasks).where(
        schema.QUEUED, tasks.lane.is_not(None), tasks.submitted_at.is_not(None)
    )
    if place is not None:
        query = query.where(
            sa.tuple_(tasks.submitted_at, tasks.task_id) > sa.tuple_(*map(sa.literal, place))
        )
    query = query.order_by(tasks.submitted_at, tasks.task_id).limit(CHUNK)
    return connection.execute(query).all()
