"""Checks an event before it is folded, beyond its shape: ids, numbers, token, JSON. Pure."""

from __future__ import annotations

from typing import Any

from coordinator.errors import MalformedMessage, WrongToken
from coordinator.protocol.json_values.json_limits import json_problem
from coordinator.protocol.messages.events import (
    AgentRegistered,
    Event,
    SourceOpened,
    TaskCompleted,
    TaskDeclined,
    TaskEvent,
    TaskFailed,
)
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.topology import DELIVERY_LIMIT
from coordinator.registry.tables.storable_text import is_storable
from coordinator.registry.tables.task_queue_rows import opened_task_queue

__all__ = ["check_event"]

HIGHEST_NUMBER = 2**31 - 1
"""Of a generation or an attempt: what a column holds."""


def check_event(event: Event, secret: bytes) -> None:
    """Raises `MalformedMessage`, or `WrongToken` for an outcome that nobody could have had."""
    data = event.data
    if not (is_storable(event.id) and is_storable(data.subject) and is_storable(data.author or "")):
        raise MalformedMessage(f"{data.TYPE}: an id with a character that no database takes")
    if isinstance(data, TaskEvent) and max(data.generation, data.attempt) > HIGHEST_NUMBER:
        raise MalformedMessage(f"{data.TYPE}: a generation or attempt that is out of range")
    if isinstance(data, TaskCompleted | TaskFailed | TaskDeclined):
        _check_token(data, secret)
    if isinstance(data, TaskCompleted):
        _check_json(data, "the result", data.result)
    elif isinstance(data, AgentRegistered):
        _check_json(data, "the metadata", data.metadata)
    elif isinstance(data, SourceOpened):
        opened_task_queue(data)


def _check_json(data: TaskCompleted | AgentRegistered, what: str, value: Any) -> None:
    """What the ledger would keep as something else, or nobody could read again."""
    problem = json_problem(value)
    if problem is not None:
        raise MalformedMessage(f"{data.TYPE}: {what} {problem}")


def _check_token(data: TaskCompleted | TaskFailed | TaskDeclined, secret: bytes) -> None:
    """The token is of the attempt that the message carries. An agent that was given the message
    after others crashed over it may count them, and then its own attempt is higher by up to the
    delivery limit.
    """
    lowest = max(1, data.attempt - DELIVERY_LIMIT)
    for attempt in range(data.attempt, lowest - 1, -1):
        if token_matches(secret, data.task_id, data.generation, attempt, data.task_token):
            return
    raise WrongToken
