"""Writes which follow-up tasks are to be cancelled with their parent as rows of the table `cancellations`.

They are written by the transaction that folds the end of the parent, or a task that comes after it, and go
with the one that folds the task's own end, or that it was sent round again. So an order is there until it is
carried out, whoever is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import ENDED, Task
from coordinator.domain.transitions.stopped_parents import Stop, TaskHistories, comes_too_late
from coordinator.registry.tables.bulk_statements import insert_found, insert_new
from coordinator.registry.tables.event_rows import chunks
from coordinator.registry.tables.schema import cancellations as table
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.task_rows import load_readable

__all__ = ["write_cancellations"]


def write_cancellations(
    connection: Connection,
    stopped: Mapping[str, Stop],
    bound: Sequence[Task],
    histories: TaskHistories,
    *,
    now: datetime,
) -> None:
    """Order those that the parents ``stopped`` by a batch of events take with them, and those that came when
    theirs had been stopped; drop what counts no more. ``bound`` are the tasks with a parent that the batch
    has changed, and ``histories`` those of all that it has changed. The tasks are in the ledger by now.
    """
    _order_below(connection, stopped, now)
    late = [
        {"task_id": one, "ordered_at": micros(now)} for one in _late(connection, bound, histories)
    ]
    insert_new(connection, table, ["task_id"], late)
    _drop(connection, [one.task_id for one in bound if histories.overtaken(one, stopped)])


def _order_below(connection: Connection, stopped: Mapping[str, Stop], now: datetime) -> None:
    """Within the database: nobody knows how many tasks a parent has."""
    for generation in {stop.generation for stop in stopped.values()}:
        parents = (one for one, stop in stopped.items() if stop.generation == generation)
        for some in chunks(parents):
            below = sa.select(
                tasks.c.task_id, sa.literal(micros(now), sa.BigInteger).label("ordered_at")
            ).where(
                tasks.c.parent_id.in_(some),
                tasks.c.cancel_with_parent <= generation,
                tasks.c.state.not_in(_ENDED),
            )
            insert_found(connection, table, ["task_id"], below)


_ENDED = sorted(state.value for state in ENDED)


def _late(connection: Connection, bound: Sequence[Task], histories: TaskHistories) -> list[str]:
    new = [(one, one.parent_id, histories.came(one.task_id)) for one in bound]
    above = {parent_id for _, parent_id, moment in new if moment and parent_id is not None}
    unchanged, _ = load_readable(connection, above - histories.before.keys())
    parents = {
        one.task_id: unchanged.get(parent_id) or histories.at(parent_id, moment)
        for one, parent_id, moment in new
        if moment and parent_id is not None
    }
    return [
        one.task_id
        for one in bound
        if (parent := parents.get(one.task_id)) is not None and comes_too_late(one, parent)
    ]


def _drop(connection: Connection, task_ids: Iterable[str]) -> None:
    for ids in chunks(task_ids):
        connection.execute(table.delete().where(table.c.task_id.in_(ids)))
