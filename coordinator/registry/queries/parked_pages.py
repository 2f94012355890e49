"""Reads parked messages of the log, for people to look at: in pages, and one with all that is kept of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection, Row

from coordinator.errors import ParkedNotFound
from coordinator.registry.ledger.parked_bounds import dropped
from coordinator.registry.tables.schema import from_micros
from coordinator.registry.tables.schema import parked as table
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["ParkedMessage", "ParkedPage", "parked_page", "parked_whole"]

EXCERPT = 400
"""Bytes of a body that a page shows."""

LONGEST_REASON = 2000
"""Characters of a reason that a page shows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedMessage:
    """Holds a message that could not be taken as an event, with the beginning of its body or all of it."""

    position: int
    """Higher for those that were parked later."""
    received_at: datetime
    reason: str
    exchange: str
    """Empty where it is not known."""
    routing_key: str
    properties: dict[str, Any]
    """Empty on a page."""
    author: str
    """Of the routing key, or the broker's user; empty where neither is known."""
    size: int
    """Of the whole body, in bytes."""
    sha256: str
    """Of the whole body, in hexadecimal."""
    body: bytes
    """The beginning, or all of it where it has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedPage:
    """Holds some messages, the latest first; the number of all; how many older ones were dropped; and after
    which position there are more.
    """

    messages: list[ParkedMessage]
    total: int
    dropped: int
    following: int | None


def parked_page(connection: Connection, *, after: int | None, limit: int) -> ParkedPage:
    """The ``limit`` latest that were parked before the position ``after``, with excerpts of their bodies."""
    query = _messages(
        sa.func.substr(table.c.body, 1, EXCERPT),
        reason=sa.func.substr(table.c.reason, 1, LONGEST_REASON),
        properties=sa.literal("{}"),
    ).order_by(table.c.position.desc())
    if after is not None:
        query = query.where(table.c.position < after)
    rows = connection.execute(query.limit(limit + 1)).all()
    total = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return ParkedPage(
        messages=list(readable(rows[:limit], _message, table)),
        total=total,
        dropped=dropped(connection),
        following=rows[limit - 1].position if len(rows) > limit else None,
    )


def parked_whole(connection: Connection, position: int) -> ParkedMessage:
    """With all that is kept of its body. Raises `ParkedNotFound`."""
    query = _messages(table.c.body, reason=table.c.reason, properties=table.c.properties).where(
        table.c.position == position
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise ParkedNotFound
    return _message(row)


def _messages(
    body: sa.ColumnElement[Any],
    *,
    reason: sa.ColumnElement[Any],
    properties: sa.ColumnElement[Any],
) -> sa.Select[Any]:
    columns = table.c
    return sa.select(
        columns.position,
        columns.received_at,
        reason.label("reason"),
        columns.exchange,
        columns.routing_key,
        properties.label("properties"),
        columns.author,
        columns.size,
        columns.body_digest,
        sa.type_coerce(body, sa.LargeBinary).label("body"),
    )


def _properties_of(row: Row[Any]) -> dict[str, Any]:
    return dict(from_json(row.properties))


def _message(row: Row[Any]) -> ParkedMessage:
    return ParkedMessage(
        position=row.position,
        received_at=from_micros(row.received_at),
        reason=row.reason,
        exchange=row.exchange,
        routing_key=row.routing_key,
        properties=next(readable([row], _properties_of, table), {}),
        author=row.author,
        size=row.size,
        sha256=row.body_digest,
        body=bytes(row.body or b""),  # the beginning of nothing is NULL in SQLite
    )
