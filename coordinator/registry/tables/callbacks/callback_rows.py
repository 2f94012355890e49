"""Writes ordered callbacks as rows of the table `callbacks`, and reads deliveries of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.domain.callbacks.callback_events import CallbackOrder
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import callbacks as table
from coordinator.registry.tables.schema import from_micros, micros
from coordinator.registry.tables.storable_text import storable
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["DELIVERY_COLUMNS", "add_callbacks", "deliveries_of", "delivery_of", "webhook_id"]

LONGEST_HOST = 255

DELIVERY_COLUMNS = tuple(
    column for column in table.c if column.name not in ("event_id", "author", "host")
)
"""What `delivery_of` reads, but for `claimed_until`, which it leaves alone."""


def webhook_id(order: CallbackOrder) -> str:
    """One for each event of a task, and the same whoever folds it: printable, without a full stop."""
    parts = (order.task_id, order.author or "", order.event_id)
    return f"msg_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"


def add_callbacks(
    connection: Connection, orders: Sequence[CallbackOrder], *, now: datetime
) -> None:
    """Append those that are not there: each is due at once."""
    insert_new(connection, table, ["webhook_id"], [_row_of(order, micros(now)) for order in orders])


def _row_of(order: CallbackOrder, now: int) -> dict[str, Any]:
    callback = order.callback
    return {
        "webhook_id": webhook_id(order),
        "task_id": order.task_id,
        "event_id": order.event_id,
        "author": order.author,
        "event": order.event,
        "url": storable(callback.url),
        "host": storable(_host(callback.url)),
        "secret_ref": storable(callback.secret_ref),
        "state": DeliveryState.PENDING.value,
        "attempts": 0,
        "ordered_at": now,
        "since": now,
        "due_at": now,
        "claimed_until": 0,
    }


def _host(url: str) -> str:
    """By which slow receivers are told apart; empty where ``url`` is none, which is seen when it is tried."""
    try:
        return (urlsplit(url).hostname or "")[:LONGEST_HOST]
    except ValueError:
        return ""


def delivery_of(row: Row[Any]) -> CallbackDelivery:
    """``row`` has `DELIVERY_COLUMNS`. Raises one of `unreadable_rows.NOT_READ`."""
    told = row.webhook_id, row.task_id, row.event, row.url, row.secret_ref, row.error or ""
    if not all(isinstance(one, str) for one in told):
        raise TypeError("a text of it is none")
    if not all(isinstance(one, int) for one in (row.attempts, row.status or 0)):
        raise TypeError("a number of it is none")
    return CallbackDelivery(
        webhook_id=row.webhook_id,
        task_id=row.task_id,
        event=row.event,
        url=row.url,
        secret_ref=row.secret_ref,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        ordered_at=from_micros(row.ordered_at),
        since=from_micros(row.since),
        due_at=from_micros(row.due_at),
        tried_at=None if row.tried_at is None else from_micros(row.tried_at),
        status=row.status,
        error=row.error,
        ended_at=None if row.ended_at is None else from_micros(row.ended_at),
    )


def deliveries_of(connection: Connection, task_id: str, most: int) -> list[CallbackDelivery]:
    """The latest ``most`` of a task, the latest first."""
    query = (
        sa.select(*DELIVERY_COLUMNS)
        .where(table.c.task_id == task_id)
        .order_by(table.c.ordered_at.desc(), table.c.webhook_id.desc())
        .limit(most)
    )
    return list(readable(connection.execute(query), delivery_of, table))
