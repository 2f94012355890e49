"""Encodes events into messages and reads them back: CloudEvents 1.0 over AMQP.

One event travels in binary mode: its attributes are headers (``cloudEvents_id``, …) and its data is
the body. Several events of one author travel as ``application/cloudevents-batch+json``. One in structured
mode is read, too; see `cloudevents`. The log holds tasks as their messages are, one or several: see
`task_group`.

Who speaks is decided by the routing key alone, which the broker can guard with topic permissions;
an event whose content names another agent is refused (`ForgedIdentity`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from coordinator.errors import ForgedIdentity, MalformedMessage, Unreadable
from coordinator.protocol.ids import new_id
from coordinator.protocol.json_values.array_splitting import items_of
from coordinator.protocol.json_values.json_instants import instant
from coordinator.protocol.json_values.lenient_reading import LeftOut, read_what_can_be
from coordinator.protocol.message import Message
from coordinator.protocol.message_size import LARGEST_MESSAGE, REFUSED_APART
from coordinator.protocol.name_encoding import (
    COORDINATOR_AUTHOR,
    DEAD_LETTER_KEY,
    encode_word,
)
from coordinator.protocol.trace_context import TRACEPARENT, TRACESTATE, TraceContext

from . import cloudevents
from .cloudevents import BATCH, STRUCTURED, is_batch
from .events import (
    EVENT_TYPES,
    AgentEvent,
    AgentHeartbeat,
    DeadLetterReason,
    Event,
    EventData,
    LedgerCaughtUp,
    LedgerEnded,
    LedgerFollowed,
    LedgerGrew,
    LedgerHindered,
    LedgerMarked,
    LiveMarked,
    SourceOpened,
    SourceRetired,
    TaskDeadLettered,
    TaskEvent,
    TaskSubmitted,
)
from .heartbeat_reading import read_heartbeat
from .task_group import is_task_group, read_group
from .task_message import TASK_TYPE, TaskMessage, describe

__all__ = [
    "BATCH",
    "Refused",
    "encode",
    "encode_batch",
    "holds_several",
    "read",
    "routing_key",
]

_COORDINATORS = (
    *(LedgerMarked, LedgerCaughtUp, LedgerEnded, LedgerFollowed, LedgerGrew, LedgerHindered),
    LiveMarked,
)
"""What coordinators alone say, to each other."""
_AUTHORED = (TaskEvent, AgentEvent, *_COORDINATORS)
_NOUNS = frozenset(event_type.partition(".")[0] for event_type in EVENT_TYPES)
_DEATH_REASONS: dict[str, DeadLetterReason] = {
    reason: reason for reason in get_args(DeadLetterReason)
}


def routing_key(data: EventData) -> str:
    """Where an event goes on `coordinator.events`: ``<noun>.<author or lane>.<what>``."""
    noun, what = data.TYPE.split(".", 1)
    if isinstance(data, SourceOpened | SourceRetired):
        return f"{noun}.{data.lane}.{what}"
    author = data.author
    return f"{noun}.{COORDINATOR_AUTHOR if author is None else encode_word(author)}.{what}"


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


def holds_several(message: Message) -> bool:
    """Whether there may be more than one event in a message of the log."""
    return is_task_group(message) or (message.type != TASK_TYPE and is_batch(message))


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message, or one event of a batch, that cannot be taken as an event, with the reason."""

    why: Unreadable
    alone: Message | None = None
    """The event by itself, where the others of its message may be good; None is the whole message."""

    def __post_init__(self) -> None:
        """Of the error, its words are wanted. Its traceback would hold this, and with it the message and all
        others that are read beside it, in a circle that only the collector frees.
        """
        self.why.__traceback__ = self.why.__cause__ = self.why.__context__ = None


def read(message: Message, key: str, *, largest: int = LARGEST_MESSAGE) -> list[Event | Refused]:
    """What each event in a message of the log came to, in order; a task message is a `TaskSubmitted`.

    ``key`` is the routing key that the message was published with, ``largest`` how many bytes of a body are
    read. Raises nothing: what is wrong with one event of a batch is told of that one alone, for the first
    `REFUSED_APART` of them, and of all others at once.
    """
    size = len(message.body)
    if size > largest:
        return [Refused(why=MalformedMessage(_TOO_LARGE.format(size, largest)))]
    if is_task_group(message):
        return _read_group(message, key)
    if message.type != TASK_TYPE and is_batch(message):
        return _read_batch(message, key)
    try:
        return [_decode_one(message, key)]
    except Unreadable as exc:
        return [Refused(why=exc)]


_TOO_LARGE = "a message of {} bytes, and at most {} are read (COORDINATOR_MAX_MESSAGE_BYTES)"


def _few_refused(found: Iterable[Event | Refused]) -> list[Event | Refused]:
    """All events, and the first of those that are refused; the others are told of together, with the whole
    message.
    """
    kept: list[Event | Refused] = []
    refused = 0
    for one in found:
        if isinstance(one, Refused):
            refused += 1
            if refused > REFUSED_APART:
                continue
        kept.append(one)
    if refused > REFUSED_APART:
        kept.append(Refused(why=MalformedMessage(_MANY.format(refused - REFUSED_APART))))
    return kept


_MANY = "{} more events of this message cannot be taken: they are kept as parts of it, and not one by one"


def _decode_one(message: Message, key: str) -> Event:
    if message.type == TASK_TYPE:
        return _decode_task(message, key)
    if cloudevents.is_structured(message):
        return _structured(_parsed(message), key)
    event_type = cloudevents.named(message, "type", message.type)
    if event_type is None:
        return _without_a_type(message, key)
    return _event(
        _Envelope(
            type=event_type,
            id=cloudevents.named(message, "id", message.message_id),
            time=cloudevents.named(message, "time", message.timestamp),
            traceparent=_named(message, TRACEPARENT),
            tracestate=_named(message, TRACESTATE),
        ),
        message.body,
        key,
    )


def _named(message: Message, name: str) -> Any:
    """Where tracing libraries of AMQP clients put it, unless the event has it as an attribute."""
    return cloudevents.named(message, name, message.headers.get(name))


def _parsed(message: Message) -> Any:
    try:
        return from_json(message.body)
    except ValueError as exc:
        raise MalformedMessage(f"an event that is not JSON: {exc}") from exc


def _without_a_type(message: Message, key: str) -> Event:
    """A body that has the event's attributes says enough, whatever its content type is."""
    try:
        item = from_json(message.body)
    except ValueError:
        item = None
    if isinstance(item, dict) and {"specversion", "type"} <= item.keys():
        return _structured(item, key)
    raise MalformedMessage(
        "an event without a type: there is no header cloudEvents_type (or cloudEvents:type, ce-type),"
        " the property `type` is not set, and the body is no CloudEvent"
    )


def _decode_task(message: Message, key: str) -> Event:
    task = TaskMessage.from_message(message)
    if not _is_dead_letter(key):
        _check_no_event_key(key)
        return _submitted(task)
    told = message.headers.get("x-first-death-reason")
    reason = _DEATH_REASONS.get(str(told))
    if reason is None:
        raise MalformedMessage(f"a dead-lettered task without a known reason: {told!r}")
    data = TaskDeadLettered(
        task_id=task.task_id,
        generation=task.generation,
        attempt=task.attempt,
        task=task,
        reason=reason,
    )
    event_id = f"{task.message_id}.{reason}"
    return Event(id=event_id, time=datetime.now(UTC), data=data, trace=task.trace)


def _is_dead_letter(key: str) -> bool:
    return key == DEAD_LETTER_KEY


def _check_no_event_key(key: str) -> None:
    """Tasks come over `coordinator.tasks`, or straight to the log: whoever may state events alone submits
    nothing. No lane is called as an event's noun.
    """
    if key.partition(".")[0] in _NOUNS:
        raise ForgedIdentity(f"a task was published as an event, with the routing key {key!r}")


def _submitted(task: TaskMessage) -> Event:
    data = TaskSubmitted(
        task_id=task.task_id, generation=task.generation, attempt=task.attempt, task=task
    )
    return Event(id=task.message_id, time=task.submitted_at, data=data)


def _read_group(message: Message, key: str) -> list[Event | Refused]:
    if _is_dead_letter(key):
        return [
            Refused(why=MalformedMessage("several tasks are on no queue that gives up messages"))
        ]
    try:
        _check_no_event_key(key)
        found = read_group(message)
    except Unreadable as exc:
        return [Refused(why=exc)]
    return _few_refused(
        _submitted(one) if isinstance(one, TaskMessage) else Refused(why=one.why, alone=one.alone)
        for one in found
    )


def _read_batch(message: Message, key: str) -> list[Event | Refused]:
    try:
        items = from_json(message.body)
    except ValueError as exc:
        return _read_pieces(message, key, exc)
    if not isinstance(items, list):
        return [Refused(why=MalformedMessage("a batch must be a JSON array of events"))]
    return _few_refused(_read_item(item, key, message, None) for item in items)


def _read_pieces(message: Message, key: str, why: ValueError) -> list[Event | Refused]:
    """A batch that no parser takes as a whole: each of its events as if it had come by itself."""
    pieces = items_of(message.body)
    if pieces is None:
        return [Refused(why=MalformedMessage(f"a batch that is not JSON: {why}"))]
    return _few_refused(_read_piece(piece, key, message) for piece in pieces)


def _read_piece(piece: bytes, key: str, message: Message) -> Event | Refused:
    try:
        item = from_json(piece)
    except ValueError as exc:
        malformed = MalformedMessage(f"an event that is not JSON: {exc}")
        return Refused(why=malformed, alone=_alone(None, piece, message))
    return _read_item(item, key, message, piece)


def _read_item(item: Any, key: str, message: Message, body: bytes | None) -> Event | Refused:
    """``body`` is the item as it was sent, where that is known."""
    try:
        return _structured(item, key)
    except Unreadable as exc:
        return Refused(why=exc, alone=_alone(item, body or to_json(item), message))


def _structured(item: Any, key: str) -> Event:
    if not isinstance(item, dict):
        raise MalformedMessage("an event must be a JSON object")
    envelope = _Envelope(
        type=item.get("type"),
        id=item.get("id"),
        time=item.get("time"),
        traceparent=item.get(TRACEPARENT),
        tracestate=item.get(TRACESTATE),
    )
    if envelope.type is None:
        raise MalformedMessage("an event without a type")
    try:
        data = cloudevents.data_of(item)
    except ValueError as exc:
        raise MalformedMessage(f"{envelope.type}: the data_base64 is not JSON: {exc}") from exc
    return _event(envelope, data, key)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    """As it was sent."""

    type: Any
    id: Any
    time: Any
    traceparent: Any
    tracestate: Any


def _event(envelope: _Envelope, source: Any, key: str) -> Event:
    """``source`` is the data, as bytes or parsed."""
    model = _model(envelope.type)
    try:
        data, left_out = _data(model, source)
    except ValidationError as exc:
        raise MalformedMessage(f"{envelope.type}: {describe(exc)}") from exc
    event_id = cloudevents.identifier(envelope.id)
    if event_id is None:
        if not isinstance(data, AgentHeartbeat):  # which is never folded
            raise MalformedMessage(f"{data.TYPE}: an event needs an id of 1 to 200 characters")
        event_id = new_id()
    _check_author(data, key)
    time = instant(envelope.time)
    if time is None and envelope.time is not None:
        left_out = (*left_out, LeftOut(field="time", why="is no time of RFC 3339 since 1970"))
    trace = None
    if envelope.traceparent is not None:
        trace = TraceContext.of(envelope.traceparent, envelope.tracestate)
        if trace is None:
            left_out = (*left_out, LeftOut(field=TRACEPARENT, why="is not a W3C trace context"))
    return Event(
        id=event_id,
        time=time or datetime.now(UTC),
        data=data,
        dated=time is not None,
        trace=trace,
        left_out=left_out,
    )


def _data(model: type[EventData], source: Any) -> tuple[EventData, tuple[LeftOut, ...]]:
    if model is AgentHeartbeat:
        return read_heartbeat(source)
    return read_what_can_be(model, source, spares=model.spares)


def _check_author(data: EventData, key: str) -> None:
    noun, _, rest = key.partition(".")
    author = rest.rpartition(".")[0]
    if not data.TYPE.startswith(f"{noun}."):
        raise ForgedIdentity(f"{data.TYPE} was published with the routing key {key!r}")
    if isinstance(data, _AUTHORED):
        expected = COORDINATOR_AUTHOR if data.author is None else encode_word(data.author)
        if author != expected:
            raise ForgedIdentity(f"{data.TYPE} of {data.author!r} was published as {key!r}")
