"""Events to messages and back: CloudEvents 1.0 over AMQP.

One event travels in binary mode: its attributes are headers (``cloudEvents_id``, …) and its data is
the body. Several events of one author travel as ``application/cloudevents-batch+json``.

Who speaks is decided by the routing key alone, which the broker can guard with topic permissions;
an event whose content names another agent is refused (`ForgedIdentity`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from coordinator.errors import ForgedIdentity, MalformedMessage, Unreadable

from .events import (
    EVENT_TYPES,
    AgentEvent,
    Event,
    EventData,
    LedgerCaughtUp,
    LedgerEnded,
    LedgerMarked,
    LiveMarked,
    SourceOpened,
    SourceRetired,
    TaskDeadLettered,
    TaskEvent,
    TaskSubmitted,
)
from .json_items import items_of
from .message import Message
from .names import BROKER_AUTHOR, COORDINATOR_AUTHOR, encode_word
from .task import TASK_TYPE, TaskMessage, describe

__all__ = ["BATCH", "Refused", "decode", "encode", "encode_batch", "read", "routing_key"]

BATCH = "application/cloudevents-batch+json"
"""The content type of several events in one message."""

STRUCTURED = "application/cloudevents+json"
"""The content type of one event with its attributes in the body, as it stands in a batch."""

SPEC_VERSION = "1.0"
_PREFIX = "cloudEvents_"
_COORDINATORS = (LedgerMarked, LedgerCaughtUp, LedgerEnded, LiveMarked)
"""What coordinators alone say, to each other."""
_AUTHORED = (TaskEvent, AgentEvent, *_COORDINATORS)
_DEATH_REASONS = frozenset({"rejected", "delivery_limit", "expired"})


def routing_key(data: EventData) -> str:
    """Where an event goes on `coordinator.events`: ``<noun>.<author or lane>.<what>``."""
    noun, what = data.TYPE.split(".", 1)
    if isinstance(data, SourceOpened | SourceRetired):
        return f"{noun}.{data.lane}.{what}"
    author = data.author
    return f"{noun}.{COORDINATOR_AUTHOR if author is None else encode_word(author)}.{what}"


def _source(data: EventData) -> str:
    return "/coordinator" if data.author is None else f"/agents/{data.author}"


def encode(event: Event, *, persistent: bool = True) -> Message:
    """One event in binary mode."""
    return Message(
        body=event.data.model_dump_json(exclude_none=True).encode(),
        message_id=event.id,
        type=event.type,
        timestamp=event.time,
        persistent=persistent,
        headers={
            f"{_PREFIX}specversion": SPEC_VERSION,
            f"{_PREFIX}id": event.id,
            f"{_PREFIX}type": event.type,
            f"{_PREFIX}source": _source(event.data),
            f"{_PREFIX}subject": event.data.subject,
            f"{_PREFIX}time": event.time.isoformat(),
        },
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
        structured.append(
            {
                "specversion": SPEC_VERSION,
                "id": event.id,
                "type": event.type,
                "source": _source(event.data),
                "subject": event.data.subject,
                "time": event.time,
                "data": event.data,
            }
        )
    body = to_json(structured, exclude_none=True)
    return f"{head}.batch", Message(
        body=body, message_id=first.id, type="batch", content_type=BATCH
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """What cannot be taken as an event, and why."""

    why: Unreadable
    alone: Message | None = None
    """The event by itself, where the others of its message may be good; None is the whole message."""


def read(message: Message, key: str) -> list[Event | Refused]:
    """What each event in a message of the log came to, in order; a task message is a `TaskSubmitted`.

    ``key`` is the routing key that the message was published with. Raises nothing: what is wrong with
    one event of a batch is told of that one alone.
    """
    if message.content_type == BATCH and message.type != TASK_TYPE:
        return _read_batch(message, key)
    try:
        return [_decode_one(message, key)]
    except Unreadable as exc:
        return [Refused(why=exc)]


def decode(message: Message, key: str) -> list[Event]:
    """Every event in a message, for those who take it whole or not at all. Raises `MalformedMessage`
    or `ForgedIdentity`.
    """
    events: list[Event] = []
    for one in read(message, key):
        if isinstance(one, Refused):
            raise one.why
        events.append(one)
    return events


def _decode_one(message: Message, key: str) -> Event:
    if message.type == TASK_TYPE:
        return _decode_task(message, key)
    headers = message.headers
    event_type = headers.get(f"{_PREFIX}type", message.type)
    event_id = headers.get(f"{_PREFIX}id", message.message_id)
    time = headers.get(f"{_PREFIX}time", message.timestamp)
    model = _model(event_type)
    try:
        data = model.model_validate_json(message.body)
    except ValidationError as exc:
        raise MalformedMessage(f"{event_type}: {describe(exc)}") from exc
    return _event(event_id, time, data, key)


def _decode_task(message: Message, key: str) -> Event:
    task = TaskMessage.from_message(message)
    fence: dict[str, Any] = {
        "task_id": task.task_id,
        "generation": task.generation,
        "attempt": task.attempt,
    }
    if not key.startswith(f"task.{BROKER_AUTHOR}."):
        data: EventData = TaskSubmitted(**fence, task=task)
        return Event(id=task.message_id, time=task.submitted_at, data=data)
    reason = message.headers.get("x-first-death-reason")
    if reason not in _DEATH_REASONS:
        raise MalformedMessage(f"a dead-lettered task without a known reason: {reason!r}")
    data = TaskDeadLettered(**fence, task=task, reason=str(reason))
    return Event(id=f"{task.message_id}.{reason}", time=datetime.now(UTC), data=data)


def _read_batch(message: Message, key: str) -> list[Event | Refused]:
    try:
        items = from_json(message.body)
    except ValueError as exc:
        return _read_pieces(message, key, exc)
    if not isinstance(items, list):
        return [Refused(why=MalformedMessage("a batch must be a JSON array of events"))]
    return [_read_item(item, key, message, None) for item in items]


def _read_pieces(message: Message, key: str, why: ValueError) -> list[Event | Refused]:
    """A batch that no parser takes as a whole: each of its events as if it had come by itself."""
    pieces = items_of(message.body)
    if pieces is None:
        return [Refused(why=MalformedMessage(f"a batch that is not JSON: {why}"))]
    found: list[Event | Refused] = []
    for piece in pieces:
        try:
            item = from_json(piece)
        except ValueError as exc:
            malformed = MalformedMessage(f"an event that is not JSON: {exc}")
            found.append(Refused(why=malformed, alone=_alone(None, piece, message)))
        else:
            found.append(_read_item(item, key, message, piece))
    return found


def _read_item(item: Any, key: str, message: Message, body: bytes | None) -> Event | Refused:
    """``body`` is the item as it was sent, where that is known."""
    try:
        return _structured(item, key)
    except Unreadable as exc:
        return Refused(why=exc, alone=_alone(item, body or to_json(item), message))


def _structured(item: Any, key: str) -> Event:
    if not isinstance(item, dict):
        raise MalformedMessage("an event in a batch must be a JSON object")
    model = _model(item.get("type"))
    try:
        data = model.model_validate(item.get("data"))
    except ValidationError as exc:
        raise MalformedMessage(f"{item.get('type')}: {describe(exc)}") from exc
    return _event(item.get("id"), item.get("time"), data, key)


def _alone(item: Any, body: bytes, message: Message) -> Message:
    """One event of a batch in structured mode, which keeps all that was said of it."""
    attributes = item if isinstance(item, dict) else {}
    event_id, event_type = attributes.get("id"), attributes.get("type")
    return replace(
        message,
        body=body,
        message_id=event_id if isinstance(event_id, str) else None,
        type=event_type if isinstance(event_type, str) else None,
        content_type=STRUCTURED,
    )


def _model(event_type: Any) -> type[EventData]:
    model = EVENT_TYPES.get(event_type) if isinstance(event_type, str) else None
    if model is None:
        raise MalformedMessage(f"an event of unknown type {event_type!r}")
    return model


def _event(event_id: Any, time: Any, data: EventData, key: str) -> Event:
    if not isinstance(event_id, str) or not 1 <= len(event_id) <= 200:
        raise MalformedMessage(f"{data.TYPE}: an event needs an id of 1 to 200 characters")
    _check_author(data, key)
    return Event(id=event_id, time=_instant(time), data=data)


def _check_author(data: EventData, key: str) -> None:
    noun, _, rest = key.partition(".")
    author = rest.rpartition(".")[0]
    if not data.TYPE.startswith(f"{noun}."):
        raise ForgedIdentity(f"{data.TYPE} was published with the routing key {key!r}")
    if isinstance(data, _AUTHORED):
        expected = COORDINATOR_AUTHOR if data.author is None else encode_word(data.author)
        if author != expected:
            raise ForgedIdentity(f"{data.TYPE} of {data.author!r} was published as {key!r}")


def _instant(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as exc:
            raise MalformedMessage(f"not an RFC 3339 time: {value!r}") from exc
    if not isinstance(value, datetime):
        return datetime.now(UTC)
    return value if value.tzinfo else value.replace(tzinfo=UTC)
