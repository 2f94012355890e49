"""Writes which follow-up tasks are to be cancelled with their parent as rows of the table `cancellations`.

They are written by the transaction that folds the end of the parent, or a task that comes after it, and go
with the one that folds the task's own end. So an order is there until it is carried out, whoever is killed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from coordinator.domain.task import Task
from coordinator.domain.transitions.stopped_parents import comes_too_late
from coordinator.registry.tables.bulk_statements import find, insert_new
from coordinator.registry.tables.event_rows import chunks
from coordinator.registry.tables.schema import cancellations as table
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.task_rows import load_readable, tasks_of

__all__ = ["drop_cancellations", "order_cancellations"]


def order_cancellations(
    connection: Connection, stopped: Mapping[str, int], new: Sequence[Task], *, now: datetime
) -> None:
    """Order those that the parents ``stopped``, each with its generation, take with them; and those of the
    follow-up tasks ``new`` whose parent was stopped before they came. The tasks are in the ledger by now.
    """
    found = [*_below(connection, stopped), *_late(connection, new)]
    rows = [{"task_id": one, "ordered_at": micros(now)} for one in dict.fromkeys(found)]
    insert_new(connection, table, ["task_id"], rows)


def drop_cancellations(connection: Connection, task_ids: Iterable[str]) -> None:
    """These have ended."""
    for ids in chunks(task_ids):
        connection.execute(table.delete().where(table.c.task_id.in_(ids)))


def _below(connection: Connection, stopped: Mapping[str, int]) -> list[str]:
    children = tasks_of(find(connection, tuple(tasks.c), tasks.c.parent_id, stopped))
    return [
        one.task_id
        for one in children
        if not one.ended
        and one.parent_id is not None
        and one.cancel_with_parent is not None
        and one.cancel_with_parent <= stopped[one.parent_id]
    ]


def _late(connection: Connection, new: Sequence[Task]) -> list[str]:
    above = {one.parent_id for one in new if one.parent_id is not None}
    parents, _ = load_readable(connection, above)
    return [
        one.task_id
        for one in new
        if one.parent_id in parents and comes_too_late(one, parents[one.parent_id])
    ]
