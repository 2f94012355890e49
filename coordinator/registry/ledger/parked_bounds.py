"""Bounds what is parked: by count, by bytes and by age. The oldest go first, and are counted.

Whoever floods the log with garbage fills neither the database nor its disk. How many were dropped
is told by `GET /parked`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.registry.tables.bulk_statements import upsert
from coordinator.registry.tables.schema import meta, micros, parked

__all__ = ["ParkedBounds", "drop_aged", "drop_surplus", "dropped"]

DROPPED = "parked_dropped"
"""Of the names in `meta`; the value is how many rows were dropped, ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedBounds:
    """Say how much is kept."""

    messages: int = 10_000
    size: int = 64 * 1024**2
    """Bytes of all rows together, with their properties and reasons."""
    age: timedelta | None = timedelta(days=30)
    """None is for ever."""


def drop_surplus(connection: Connection, bounds: ParkedBounds) -> int:
    """Drop the oldest beyond the count and the bytes; return how many. The newest one always stays."""
    count, size = connection.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(parked.c.kept), 0)).select_from(
            parked
        )
    ).one()
    if count <= bounds.messages and size <= bounds.size:
        return 0
    newest_first = parked.c.position.desc()
    rows = sa.select(
        parked.c.position,
        sa.func.row_number().over(order_by=newest_first).label("place"),
        sa.func.sum(parked.c.kept).over(order_by=newest_first).label("size"),
    ).subquery()
    beyond = sa.or_(rows.c.place > bounds.messages, rows.c.size > bounds.size)
    last = connection.scalar(
        sa.select(sa.func.max(rows.c.position)).where(beyond, rows.c.place > 1)
    )
    return 0 if last is None else _drop(connection, parked.c.position <= last)


def drop_aged(connection: Connection, bounds: ParkedBounds, now: datetime) -> int:
    """Drop what was parked too long ago; return how many."""
    if bounds.age is None:
        return 0
    return _drop(connection, parked.c.received_at < micros(now - bounds.age))


def dropped(connection: Connection) -> int:
    """How many were dropped since the ledger was made."""
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.name == DROPPED))
    return int(value) if value is not None and str(value).isdecimal() else 0


def _drop(connection: Connection, which: sa.ColumnElement[bool]) -> int:
    count = connection.execute(parked.delete().where(which)).rowcount
    if count:
        row = {"name": DROPPED, "value": str(dropped(connection) + count)}
        upsert(connection, meta, ["name"], [row])
    return count
