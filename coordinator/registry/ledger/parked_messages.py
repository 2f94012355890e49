"""Parks messages of the log that could not be taken as events: keeps them with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic_core import to_json
from sqlalchemy.engine import Connection

from coordinator.broker.channel import Delivery
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec import encode, routing_key
from coordinator.protocol.messages.events import Event
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.storable_text import storable

__all__ = ["MessageToPark", "park", "parked_delivery", "parked_event"]

LONGEST_NAME = 300
LONGEST_REASON = 1000
"""Characters: a reason may quote the message, and a message may be of any size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageToPark:
    """Holds a message of the log, or one event of it, beside why it was not taken."""

    message: Message
    exchange: str
    routing_key: str
    reason: str
    received_at: datetime


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
    message = one.message
    properties = to_json(
        {
            "type": message.type,
            "message_id": message.message_id,
            "content_type": message.content_type,
            "correlation_id": message.correlation_id,
            "user_id": message.user_id,
            "headers": dict(message.headers),
        },
        bytes_mode="base64",
        inf_nan_mode="strings",
        fallback=repr,
    )
    key = one.routing_key.encode("utf-8", "replace")
    return {
        "digest": hashlib.sha256(key + b"\n" + properties + b"\n" + message.body).hexdigest(),
        "received_at": micros(one.received_at),
        "reason": storable(one.reason),
        "exchange": storable(one.exchange[:LONGEST_NAME]),
        "routing_key": storable(one.routing_key[:LONGEST_NAME]),
        "properties": properties.decode(),
        "body": message.body,
    }
