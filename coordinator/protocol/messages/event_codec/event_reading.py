"""Reads the events in a message of the log: one, a batch of CloudEvents, or a group of tasks.

The log holds tasks as their messages are, one or several: see `task_group`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from pydantic_core import from_json, to_json

from coordinator.errors import MalformedMessage, Unreadable
from coordinator.protocol.json_values.array_splitting import items_of
from coordinator.protocol.message import Message
from coordinator.protocol.message_size import LARGEST_MESSAGE, REFUSED_APART
from coordinator.protocol.messages.cloudevents import STRUCTURED, is_batch
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_group import is_task_group, read_group
from coordinator.protocol.messages.task_message import TASK_TYPE, TaskMessage

from .event_decoding import (
    check_no_event_key,
    decode_one,
    decode_structured,
    is_dead_letter,
    submitted,
)

__all__ = ["Refused", "holds_several", "read"]


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
        return [decode_one(message, key)]
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


def _read_group(message: Message, key: str) -> list[Event | Refused]:
    if is_dead_letter(key):
        return [
            Refused(why=MalformedMessage("several tasks are on no queue that gives up messages"))
        ]
    try:
        check_no_event_key(key)
        found = read_group(message)
    except Unreadable as exc:
        return [Refused(why=exc)]
    return _few_refused(
        submitted(one) if isinstance(one, TaskMessage) else Refused(why=one.why, alone=one.alone)
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
        return decode_structured(item, key)
    except Unreadable as exc:
        return Refused(why=exc, alone=_alone(item, body or to_json(item), message))


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
