"""Sums over tasks, field by field in a table of names and values."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.tally import Tally

from .statements import add_to

__all__ = ["add_tally", "tally_in"]


def add_tally(connection: Connection, table: sa.Table, added: Tally) -> None:
    amounts = zip(Tally._fields, added, strict=True)
    add_to(connection, table, "name", {name: value for name, value in amounts if value})


def tally_in(connection: Connection, table: sa.Table) -> Tally:
    query = sa.select(table.c.name, table.c.value)
    rows = connection.execute(query)
    return Tally(**{row.name: row.value for row in rows if row.name in Tally._fields})
