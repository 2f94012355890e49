"""Ledgers of very many tasks of all kinds, made in minutes.

A thousand tasks are folded and written as the product does: of every state, priority and type, in groups,
with tags and metadata, of many agents. Their rows are then multiplied inside the database, a thousand at a
time, so that what was submitted later also lies later, as where tasks come one by one. At the beginning of
time are some that are alone in what they are, which is as far as there is to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.transitions.effects import Rules
from coordinator.protocol.messages.events import (
    AttemptError,
    Event,
    TaskAsked,
    TaskCancelled,
    TaskCompleted,
    TaskEvent,
    TaskExpired,
    TaskFailed,
    TaskStarted,
    TaskSubmitted,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.database_engines import make_engines
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import take_time

from .registry_ledgers import LANES, fold_queues

__all__ = ["KEY", "KINDS", "RARE", "Mixture", "fill_mixture", "task_id_of"]

KINDS = 1000
"""Tasks that are folded; all others are copies of one of them."""

COPIES = 50
"""Copies of each that are made in one transaction."""

KEY = "customer"
"""Of the metadata by which tasks are found."""

RARE = 10
"""Tasks that have what no other has, the first ones of all."""

PREFIX = "0192f0c0-0000-7000-8000-"
FIRST = 100_000_000_000
"""The tasks' numbers all have twelve digits."""

APART = timedelta(milliseconds=500)
"""Between two submissions."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """How many tasks, in thousands; and how many in a thousand are dead."""

    thousands: int
    dead: int = 30

    @property
    def tasks(self) -> int:
        return self.thousands * KINDS

    def __str__(self) -> str:
        return f"{self.tasks} tasks of all kinds"


def task_id_of(number: int) -> str:
    """Of the task that was submitted as the ``number``-th, from 0; those that are rare come before it."""
    return f"{PREFIX}{FIRST + number}"


async def fill_mixture(url: str, mixture: Mixture) -> None:
    """Make the ledger, and do what a database does now and then by itself."""
    now = datetime.now(UTC)
    start = now - mixture.tasks * APART
    async with Ledger(url) as ledger:
        await fold_queues(ledger)
        rules = Rules(now=now, metadata_keys=frozenset({KEY}))
        for number in range(KINDS):
            events = _life(number, start + number * APART, mixture.dead)
            await ledger.write(partial(store, events=events, rules=rules))
        for first in range(1, mixture.thousands, COPIES):
            copies = range(first, min(first + COPIES, mixture.thousands))
            await ledger.write(partial(_multiply, copies))
        await ledger.write(partial(_count, mixture.thousands))
        for number in range(RARE):
            events = _rare(number, start - (RARE - number) * APART)
            await ledger.write(partial(store, events=events, rules=rules))
    engine = make_engines(url).writing
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        upkeep = "VACUUM ANALYZE" if connection.dialect.name == "postgresql" else "ANALYZE"
        connection.exec_driver_sql(upkeep)
    engine.dispose()


# --- what is folded ---------------------------------------------------------------------------


def _life(number: int, at: datetime, dead: int) -> list[Event]:
    """All that happened to one of the thousand."""
    kind = (number * 617) % KINDS  # so that states go with all that is below
    agent = f"agent-{number % 50:06d}"
    lane = {"capabilities": [f"lane-{number % LANES}"]} if number % 7 == 0 else {}
    task = _message(
        number,
        at,
        task_data={"task_type": f"type-{number % 40}", "text": "x" * 120},
        priority=_PRIORITIES[number % 20],
        requirements=lane,
        submitted_by="key:ci" if number % 10 == 0 else "key:shop",
        group=f"group-{number}" if number % 100 == 0 else "odd" if number % 2 else "even",
        tags=("common", "odd" if number % 2 else "even"),
        metadata={KEY: "acme" if number % 3 == 0 else f"customer-{number % 200}"},
        not_before=at + timedelta(days=365) if kind >= 995 else None,
    )
    events = [_submitted(task)]
    if kind < dead:
        error = ("ConnectionError", "TimeoutError", f"Error{number}")[number % 3]
        return [*events, _started(task, agent), _failed(task, agent, error)]
    without_work: list[tuple[range, list[TaskEvent]]] = [
        (range(900, 930), [TaskCancelled(task_id=task.task_id, reason="requested")]),
        (range(930, 940), [TaskExpired(task_id=task.task_id)]),
        (range(940, 950), []),
        (range(950, 953), [_asked(task, agent)]),
        (range(995, 1000), []),
    ]
    for kinds, told in without_work:
        if kind in kinds:
            return events + [
                Event(id=f"{one.TYPE}.{task.task_id}", data=one, time=at) for one in told
            ]
    events.append(_started(task, agent))
    return events if kind in range(953, 956) else [*events, _completed(task, agent)]


_PRIORITIES = (
    *(Priority.URGENT, Priority.CRITICAL, Priority.CRITICAL),
    *[Priority.HIGH] * 4,
    *[Priority.NORMAL] * 10,
    *[Priority.LOW] * 3,
)


def _rare(number: int, at: datetime) -> list[Event]:
    task = _message(
        number - RARE,
        at,
        task_data={"task_type": "rare"},
        group="rare",
        tags=("common", "rare"),
        metadata={KEY: "rare"},
    )
    agent = "agent-rare"
    return [_submitted(task), _started(task, agent), _failed(task, agent, "RareError")]


def _message(number: int, at: datetime, **given: Any) -> TaskMessage:
    defaults = {"priority": Priority.NORMAL, "task_token": "t" * 40}
    return TaskMessage(task_id=task_id_of(number), submitted_at=at, **(defaults | given))


def _submitted(task: TaskMessage) -> Event:
    data = TaskSubmitted(task_id=task.task_id, task=task)
    return Event(id=task.message_id, time=task.submitted_at, data=data)


def _started(task: TaskMessage, agent: str) -> Event:
    data = TaskStarted(task_id=task.task_id, agent_id=agent, instance="instance-1")
    return Event(id=f"started.{task.task_id}", time=task.submitted_at, data=data)


def _asked(task: TaskMessage, agent: str) -> TaskAsked:
    return TaskAsked(task_id=task.task_id, agent_id=agent, question_id="q", question="Go on?")


def _completed(task: TaskMessage, agent: str) -> Event:
    data = TaskCompleted(
        task_id=task.task_id,
        agent_id=agent,
        result={"words": 40, "longest": "x" * 20},
        task_token=task.task_token,
    )
    return Event(id=f"completed.{task.task_id}", time=task.submitted_at + APART, data=data)


def _failed(task: TaskMessage, agent: str, error: str) -> Event:
    data = TaskFailed(
        task_id=task.task_id,
        agent_id=agent,
        error=AttemptError(type=error, message="It did not go.", traceback="line\n" * 20),
        retryable=False,
        task_token=task.task_token,
    )
    return Event(id=f"failed.{task.task_id}", time=task.submitted_at + APART, data=data)


# --- what is multiplied -----------------------------------------------------------------------


def _multiply(copies: range, connection: Connection) -> None:
    """Each row of the thousand once for each of ``copies``, by number and time so many thousands later."""
    take_time(connection)
    n = sa.select(sa.literal(copies[0], sa.BigInteger).label("n")).cte("copies", recursive=True)
    n = n.union_all(sa.select(n.c.n + 1).where(n.c.n < copies[-1]))
    last = task_id_of(KINDS - 1)
    for table, task_id in (
        (schema.tasks, schema.tasks.c.task_id),
        (schema.events, schema.events.c.subject),
        (schema.task_labels, schema.task_labels.c.task_id),
    ):
        number = sa.cast(sa.func.substr(task_id, len(PREFIX) + 1), sa.BigInteger)
        moved = sa.cast(number + KINDS * n.c.n, sa.String)
        columns = [column for column in table.c if column.name != "position"]
        query = (
            sa.select(
                *(_copied(column, sa.cast(number, sa.String), moved, n) for column in columns)
            )
            .select_from(n.join(table, task_id.between(task_id_of(0), last)))
            .order_by(n.c.n, task_id)
        )
        names = [column.name for column in columns]
        connection.execute(table.insert().from_select(names, query))


def _copied(
    column: sa.Column[Any],
    number: sa.ColumnElement[str],
    moved: sa.ColumnElement[str],
    copies: sa.CTE,
) -> sa.ColumnElement[Any]:
    if isinstance(column.type, sa.String) and column.name not in _SAME:
        return sa.func.replace(column, number, moved)
    if column.name == "time" or column.name.endswith("_at"):
        return column + KINDS * (APART // timedelta(microseconds=1)) * copies.c.n
    return column


_SAME = frozenset({"label", "labels", "lane", "state", "priority", "task_type", "agent_id"})
"""Texts that have no number of a task in them."""


def _count(times: int, connection: Connection) -> None:
    """The totals, as if each had been folded."""
    for table, column in (
        (schema.totals, schema.totals.c.value),
        (schema.group_totals, schema.group_totals.c.tasks),
    ):
        connection.execute(table.update().values({column.name: column * times}))
