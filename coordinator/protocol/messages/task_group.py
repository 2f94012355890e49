"""Joins the messages of several tasks into one message for the log, and reads them back.

    [<body of one task message>,<body of the next>,...]      type `tasks`, published to the log alone

The bodies are taken as they are encoded, so that joining costs no second dump. Each task is read, and
refused, as if its message had come by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from coordinator.errors import MalformedMessage
from coordinator.protocol.json_values.array_splitting import items_of
from coordinator.protocol.message import Message

from .task_message import TASK_TYPE, TaskMessage

__all__ = ["GROUP_TYPE", "RefusedTask", "is_task_group", "join_tasks", "joined_size", "read_group"]

GROUP_TYPE = "tasks"
"""The AMQP `type` property of a message with several tasks."""

_tasks = TypeAdapter(list[TaskMessage])


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTask:
    """One item of a group that is no task, with the reason."""

    why: MalformedMessage
    alone: Message
    """The item as a message of its own."""


def join_tasks(messages: Sequence[Message]) -> Message:
    """One message for the log with all of these, which are messages of tasks. It never expires: the log
    must not lose what a queue gives up.
    """
    first = messages[0]
    return Message(
        body=b"[" + b",".join([message.body for message in messages]) + b"]",
        message_id=f"{first.message_id}.group",
        type=GROUP_TYPE,
        timestamp=first.timestamp,
    )


def joined_size(size: int, body: int) -> int:
    """Bytes of a group's body once a message of ``body`` bytes has joined it; ``size`` is 0 for none yet."""
    return (size or 1) + body + 1


def is_task_group(message: Message) -> bool:
    return message.type == GROUP_TYPE


def read_group(message: Message) -> Iterable[TaskMessage | RefusedTask]:
    """Every task, in order, to be gone through once. Raises `MalformedMessage` for what is no list at all."""
    try:
        return [*_tasks.validate_json(message.body)]
    except ValidationError:  # one of them is bad, or all: told of each alone
        return map(_read_item, _items(message.body))


def _items(array: bytes) -> list[bytes]:
    """Each item by itself, as it was sent."""
    items = items_of(array)
    if items is None:
        raise MalformedMessage("several tasks, but not a JSON array of them")
    return items


def _read_item(body: bytes) -> TaskMessage | RefusedTask:
    alone = Message(body=body, type=TASK_TYPE)
    try:
        return TaskMessage.from_message(alone)
    except MalformedMessage as exc:
        return RefusedTask(why=exc, alone=alone)
