"""Encodes events as CloudEvents 1.0 over AMQP, and says where each goes.

One event travels in binary mode: its attributes are headers (``cloudEvents_id``, …) and its data is
the body. Several events of one author travel as ``application/cloudevents-batch+json``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json

from coordinator.protocol.message import Message
from coordinator.protocol.messages import cloudevents
from coordinator.protocol.messages.cloudevents import BATCH
from coordinator.protocol.messages.events import Event, EventData, SourceOpened, SourceRetired
from coordinator.protocol.name_encoding import COORDINATOR_AUTHOR, encode_word

__all__ = ["encode", "encode_batch", "routing_key"]


def routing_key(data: EventData) -> str:
    """Where an event goes on `coordinator.events`: ``<noun>.<author or lane>.<what>``."""
    noun, what = data.TYPE.split(".", 1)
    if isinstance(data, SourceOpened | SourceRetired):
        return f"{noun}.{data.lane}.{what}"
    author = data.author
    return f"{noun}.{COORDINATOR_AUTHOR if author is None else encode_word(author)}.{what}"


def encode(event: Event, *, persistent: bool = True) -> Message:
    """One event in binary mode."""
    return Message(
        body=event.data.model_dump_json(exclude_none=True).encode(),
        message_id=event.id,
        type=event.type,
        timestamp=event.time,
        persistent=persistent,
        headers=cloudevents.headers(_attributes(event, event.time.isoformat())),
    )


def encode_batch(events: Sequence[Event]) -> tuple[str, Message]:
    """Several events of one author and noun in one message; returns its routing key too.

    A batch of one is sent in binary mode.
    """
    first = events[0]
    if len(events) == 1:
        return routing_key(first.data), encode(first)
    key = routing_key(first.data)
    head = key.rpartition(".")[0]
    structured: list[dict[str, Any]] = []
    for event in events:
        if routing_key(event.data).rpartition(".")[0] != head:
            raise ValueError("a batch holds the events of one author, about one kind of thing")
        structured.append(_attributes(event, event.time) | {"data": event.data})
    body = to_json(structured, exclude_none=True)
    return f"{head}.batch", Message(
        body=body, message_id=first.id, type="batch", content_type=BATCH
    )


def _attributes(event: Event, time: Any) -> dict[str, Any]:
    data = event.data
    found = cloudevents.attributes(
        event_id=event.id,
        event_type=event.type,
        author=data.author,
        subject=data.subject,
        time=time,
    )
    return found if event.trace is None else found | event.trace.headers()
