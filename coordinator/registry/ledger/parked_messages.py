"""Parks messages of the log that could not be taken as events: keeps the beginning of each with the reason,
its author, its size and its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection

from coordinator.broker.channel import Delivery
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event
from coordinator.protocol.topology import EVENTS
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.storable_text import storable

__all__ = [
    "LONGEST_BODY",
    "MessageToPark",
    "cut_parked",
    "park",
    "parked_delivery",
    "parked_event",
]

LONGEST_NAME = 300
LONGEST_REASON = 1000
"""Characters: a reason may quote the message, and a message may be of any size."""

LONGEST_BODY = 64 * 1024
"""Bytes of a body that are kept: enough to see what it was."""

LONGEST_PROPERTIES = 16 * 1024
"""Bytes of a message's properties as JSON; beyond it its headers are left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageToPark:
    """Holds a message of the log, or one event of it, beside why it was not taken."""

    message: Message
    exchange: str
    routing_key: str
    reason: str
    received_at: datetime

    @property
    def author(self) -> str:
        """Whose word the routing key of an event has, and the broker's user where the message tells it;
        empty where neither is known. Encoded as in routing keys, see `name_encoding`.
        """
        words = self.routing_key.split(".") if self.exchange in {"", EVENTS} else []
        author = words[1] if len(words) > 2 and words[0] != _LANE_EVENTS else ""
        user = self.message.user_id
        if user is None or user == author:
            return author
        return f"{author} (user {user})" if author else f"user {user}"


_LANE_EVENTS = "source"
"""Events whose routing keys name a lane, and no author."""


def parked_delivery(
    delivery: Delivery, why: Exception, at: datetime, alone: Message | None = None
) -> MessageToPark:
    """A message, or what it says of one event ``alone``, where that is all that is wrong with it."""
    return MessageToPark(
        message=delivery.message if alone is None else alone,
        exchange=delivery.exchange,
        routing_key=delivery.routing_key,
        reason=_reason(why),
        received_at=at,
    )


def parked_event(
    event: Event, why: Exception, at: datetime, *, user: str | None = None
) -> MessageToPark:
    """One event alone, where the others of its message are good; published by the broker's ``user``.
    Numbers that JSON lacks stay as they are in its body.
    """
    data = event.data.model_dump(exclude_none=True)
    return MessageToPark(
        message=replace(encode(event), body=to_json(data), user_id=user),
        exchange="",
        routing_key=routing_key(event.data),
        reason=_reason(why),
        received_at=at,
    )


def _reason(why: Exception) -> str:
    reason = f"{type(why).__name__}: {why}"
    return reason if len(reason) <= LONGEST_REASON else f"{reason[:LONGEST_REASON]} ..."


def park(connection: Connection, messages: Sequence[MessageToPark]) -> None:
    """Store ``messages``, each once however often it is delivered."""
    rows = {row["digest"]: row for row in map(_row_of, messages)}
    insert_new(connection, schema.parked, ["digest"], list(rows.values()))


def _row_of(one: MessageToPark) -> dict[str, Any]:
    body = one.message.body
    properties = _properties(one.message, dict(one.message.headers))
    key = one.routing_key.encode("utf-8", "replace")
    digest = hashlib.sha256(key + b"\n" + properties + b"\n" + body).hexdigest()
    if len(properties) > LONGEST_PROPERTIES:
        left_out = {"left-out": f"headers of {len(properties)} bytes"}
        properties = _properties(one.message, left_out)
    row = {
        "digest": digest,
        "received_at": micros(one.received_at),
        "reason": storable(one.reason),
        "exchange": storable(one.exchange[:LONGEST_NAME]),
        "routing_key": storable(one.routing_key[:LONGEST_NAME]),
        "author": storable(one.author[:LONGEST_NAME]),
        "properties": properties.decode(),
    }
    return row | _body_columns(body, beside=sum(len(str(value)) for value in row.values()))


def _properties(message: Message, headers: dict[str, Any]) -> bytes:
    return to_json(
        {
            "type": message.type,
            "message_id": message.message_id,
            "content_type": message.content_type,
            "correlation_id": message.correlation_id,
            "user_id": message.user_id,
            "headers": headers,
        },
        bytes_mode="base64",
        inf_nan_mode="strings",
        fallback=repr,
    )


def _body_columns(body: bytes, *, beside: int) -> dict[str, Any]:
    """``beside``: bytes of the row's other columns."""
    return {
        "size": len(body),
        "kept": min(len(body), LONGEST_BODY) + beside,
        "body_digest": hashlib.sha256(body).hexdigest(),
        "body": body[:LONGEST_BODY],
    }


def cut_parked(connection: Connection) -> None:
    """Bring rows that an older version parked, with their whole bodies, to what is kept now."""
    table = schema.parked
    columns = (table.c.reason, table.c.routing_key, table.c.properties, table.c.body)
    for position in connection.execute(sa.select(table.c.position)).scalars().all():
        this = table.c.position == position
        row = connection.execute(sa.select(*columns).where(this)).one()
        beside = sum(len(str(value)) for value in row[:-1])
        columns_now = _body_columns(bytes(row.body or b""), beside=beside)
        connection.execute(table.update().where(this).values(columns_now))
