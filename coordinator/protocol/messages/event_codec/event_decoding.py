"""Decodes one event: of a message in binary or structured mode, of a JSON object, or of a task's message.

Who speaks is decided by the routing key alone, which the broker can guard with topic permissions;
an event whose content names another agent is refused (`ForgedIdentity`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import from_json

from coordinator.errors import ForgedIdentity, MalformedMessage
from coordinator.protocol.ids import new_id
from coordinator.protocol.json_values.json_instants import instant
from coordinator.protocol.json_values.lenient_reading import LeftOut, read_what_can_be
from coordinator.protocol.message import Message
from coordinator.protocol.messages import cloudevents
from coordinator.protocol.messages.events import (
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
    TaskDeadLettered,
    TaskEvent,
    TaskSubmitted,
)
from coordinator.protocol.messages.heartbeat_reading import read_heartbeat
from coordinator.protocol.messages.task_message import TASK_TYPE, TaskMessage, describe
from coordinator.protocol.name_encoding import (
    COORDINATOR_AUTHOR,
    DEAD_LETTER_KEY,
    encode_word,
)
from coordinator.protocol.trace_context import TRACEPARENT, TRACESTATE, TraceContext

__all__ = [
    "check_no_event_key",
    "decode_one",
    "decode_structured",
    "is_dead_letter",
    "submitted",
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


def decode_one(message: Message, key: str) -> Event:
    """The event of a message that holds no other. ``key`` is its routing key. Raises `Unreadable`."""
    if message.type == TASK_TYPE:
        return _decode_task(message, key)
    if cloudevents.is_structured(message):
        return decode_structured(_parsed(message), key)
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
        return decode_structured(item, key)
    raise MalformedMessage(
        "an event without a type: there is no header cloudEvents_type (or cloudEvents:type, ce-type),"
        " the property `type` is not set, and the body is no CloudEvent"
    )


def _decode_task(message: Message, key: str) -> Event:
    task = TaskMessage.from_message(message)
    if not is_dead_letter(key):
        check_no_event_key(key)
        return submitted(task)
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


def is_dead_letter(key: str) -> bool:
    """Whether the broker took the message from a task's queue and gave it to the log."""
    return key == DEAD_LETTER_KEY


def check_no_event_key(key: str) -> None:
    """Tasks come over `coordinator.tasks`, or straight to the log: whoever may state events alone submits
    nothing. No lane is called as an event's noun.
    """
    if key.partition(".")[0] in _NOUNS:
        raise ForgedIdentity(f"a task was published as an event, with the routing key {key!r}")


def submitted(task: TaskMessage) -> Event:
    """What the message of a task says once it is in the log."""
    data = TaskSubmitted(
        task_id=task.task_id, generation=task.generation, attempt=task.attempt, task=task
    )
    return Event(id=task.message_id, time=task.submitted_at, data=data)


def decode_structured(item: Any, key: str) -> Event:
    """An event in structured mode, parsed. Raises `Unreadable`."""
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
