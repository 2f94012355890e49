"""Adds to the totals over tasks, and reads them: a row for each field, in `totals` or `checkpoint`."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task_totals import TaskTotals

from .bulk_statements import add_to

__all__ = ["add_tally", "tally_in"]


def add_tally(connection: Connection, table: sa.Table, added: TaskTotals) -> None:
    """Add each field of ``added`` to its row of ``table``."""
    amounts = zip(TaskTotals._fields, added, strict=True)
    add_to(connection, table, "name", {name: value for name, value in amounts if value})


def tally_in(connection: Connection, table: sa.Table) -> TaskTotals:
    """The totals of ``table``; a field without a row is 0."""
    query = sa.select(table.c.name, table.c.value)
    rows = connection.execute(query)
    return TaskTotals(**{row.name: row.value for row in rows if row.name in TaskTotals._fields})
