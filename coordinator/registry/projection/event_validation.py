"""Checks an event before it is folded, beyond its shape: ids, numbers, token, JSON. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic_core import to_json

from coordinator.errors import MalformedMessage, WrongToken
from coordinator.protocol.json_values.json_limits import json_problem
from coordinator.protocol.messages.events import (
    AgentRegistered,
    AgentsTaskEvent,
    Event,
    SourceOpened,
    TaskAsked,
    TaskCompleted,
    TaskDeadLettered,
    TaskEvent,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
    TaskSubmitted,
)
from coordinator.protocol.messages.registration import MAX_METADATA
from coordinator.protocol.messages.task_events import MAX_QUESTION_BYTES
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.topology import DELIVERY_LIMIT
from coordinator.registry.tables.storable_text import is_storable
from coordinator.registry.tables.task_queue_rows import opened_task_queue

__all__ = ["checked"]

HIGHEST_NUMBER = 2**31 - 1
"""Of a generation or an attempt: what a column holds."""


def checked(event: Event, secret: bytes, *, strict: bool = False) -> Event:
    """The event as it is folded. Raises `MalformedMessage`, or `WrongToken` for what nobody could say who
    was given the task, or for a task that no coordinator has made. ``strict``: a start or progress has a
    token, too, and who counts crashes says how many.
    """
    data = event.data
    if not (is_storable(event.id) and is_storable(data.subject) and is_storable(data.author or "")):
        raise MalformedMessage(f"{data.TYPE}: an id with a character that no database takes")
    if isinstance(data, TaskEvent) and max(data.generation, data.attempt) > HIGHEST_NUMBER:
        raise MalformedMessage(f"{data.TYPE}: a generation or attempt that is out of range")
    if isinstance(data, TaskSubmitted | TaskDeadLettered):
        _check_task(data.task, secret)
    elif isinstance(data, AgentsTaskEvent):
        event = _of_attempt(event, data, secret, strict=strict)
    if isinstance(data, TaskCompleted):
        _check_json(data, "the result", data.result)
    elif isinstance(data, AgentRegistered):
        _check_json(data, "the metadata", data.metadata)
        size = len(to_json(data.metadata))
        if size > MAX_METADATA:
            raise MalformedMessage(f"{data.TYPE}: {size} bytes of metadata; at most {MAX_METADATA}")
    elif isinstance(data, TaskAsked):
        _check_question(data)
    elif isinstance(data, SourceOpened):
        opened_task_queue(data)
    return event


def _check_question(data: TaskAsked) -> None:
    """Small enough to be kept with the task."""
    for what, value in (("the question", data.question), ("its schema", data.answer_schema)):
        _check_json(data, what, value)
        size = len(to_json(value))
        if size > MAX_QUESTION_BYTES:
            raise MalformedMessage(
                f"{data.TYPE}: {what} has {size} bytes of JSON, and {MAX_QUESTION_BYTES} are allowed"
            )


def _check_json(data: TaskCompleted | AgentRegistered | TaskAsked, what: str, value: Any) -> None:
    """What the ledger would keep as something else, or nobody could read again."""
    problem = json_problem(value)
    if problem is not None:
        raise MalformedMessage(f"{data.TYPE}: {what} {problem}")


def _check_task(task: TaskMessage, secret: bytes) -> None:
    """Only a coordinator can have made it, whoever has published it."""
    if not token_matches(secret, task.task_id, task.generation, task.attempt, task.task_token):
        raise WrongToken("The task carries a token that no coordinator of this ledger has made")


def _of_attempt(event: Event, data: AgentsTaskEvent, secret: bytes, *, strict: bool) -> Event:
    """The same with the agents that were lost over the message counted apart; without the token where it
    has done its service, since the attempt goes on.
    """
    if data.task_token is None:  # a start or progress, from an agent of before
        if strict or isinstance(data, TaskAsked | TaskResumed):
            asking = (
                "which it has to" if not strict else "which COORDINATOR_REQUIRE_IDENTITY asks for"
            )
            raise WrongToken(f"{data.TYPE} carries no token, {asking}")
        return event
    found: dict[str, Any] = {}
    crashes = _crashes(data, data.task_token, secret, strict=strict)
    if crashes != (data.crashes or 0):
        found["crashes"] = crashes
    if isinstance(data, TaskStarted | TaskProgressed | TaskAsked | TaskResumed):
        found["task_token"] = None
    return replace(event, data=data.model_copy(update=found)) if found else event


def _crashes(data: AgentsTaskEvent, token: str, secret: bytes, *, strict: bool) -> int:
    """How many attempts before the one that the agent names its token is of. An agent that does not count
    those apart may have been given the message after others crashed over it: up to the delivery limit.
    """
    told = data.crashes if data.crashes is not None or not strict else 0
    most = min(DELIVERY_LIMIT, data.attempt - 1)
    for crashes in range(most + 1) if told is None else (told,):
        delivered = data.attempt - crashes
        if token_matches(secret, data.task_id, data.generation, delivered, token):
            return crashes
    raise WrongToken
