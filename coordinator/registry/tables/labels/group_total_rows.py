"""Adds to the counts of groups, reads them, and drops those of groups that have no task any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.labels.group_counts import GroupCounts, counted_changes
from coordinator.domain.task import Task
from coordinator.registry.tables.bulk_statements import add_rows
from coordinator.registry.tables.event_rows import chunks
from coordinator.registry.tables.schema import group_totals as table
from coordinator.registry.tables.storable_text import storable

__all__ = ["add_group_counts", "drop_empty_groups", "group_counts"]

_KEY = ("group_id", "submitted_by", "state")


def add_group_counts(
    connection: Connection, changes: Sequence[tuple[Task | None, Task | None]]
) -> None:
    """Count tasks that were one thing and are another; None is a task that is not there."""
    added = counted_changes(changes)
    rows = [
        {
            "group_id": cell.group,
            "submitted_by": cell.submitted_by,
            "state": cell.state,
            "tasks": amount,
        }
        for cell, amount in sorted(added.items())
    ]
    add_rows(connection, table, _KEY, rows, adding="tasks")


def drop_empty_groups(connection: Connection, forgotten: Iterable[Task]) -> None:
    """Of the groups of these tasks, which are counted no more, drop what has come to 0."""
    for groups in chunks({task.group for task in forgotten if task.group is not None}):
        of_these = table.c.group_id.in_(groups)
        connection.execute(table.delete().where(of_these, table.c.tasks == 0))


def group_counts(
    connection: Connection, group_id: str, submitted_by: str | None = None
) -> GroupCounts:
    """Of the tasks in this group; of one caller alone where one is given. All are 0 for a group that is not
    there.
    """
    query = sa.select(table.c.state, sa.func.sum(table.c.tasks).label("tasks"))
    query = query.where(table.c.group_id == storable(group_id)).group_by(table.c.state)
    if submitted_by is not None:
        query = query.where(table.c.submitted_by == submitted_by)
    found = {row.state: int(row.tasks) for row in connection.execute(query)}
    return GroupCounts.of(group_id, found)
