"""What the answers that come in pages hold, for the OpenAPI document, and what builds them."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

from pydantic import Field

from coordinator.registry.queries.parked_pages import ParkedMessage
from coordinator.registry.queries.task_timeline import TimelineEntry
from coordinator.registry.queries.task_view import TaskSummary

from .answers import (
    AgentId,
    AgentShape,
    Described,
    Instant,
    PriorityName,
    Progress,
    Success,
    TaskError,
    TaskId,
    TaskShape,
    TaskState,
)
from .json_answers import iso

__all__ = [
    "AgentPageAnswer",
    "ParkedAnswer",
    "ParkedPageAnswer",
    "TaskPageAnswer",
    "TimelineAnswer",
    "WaitAnswer",
    "happening_shape",
    "parked_shape",
    "summary_shape",
]

Count = Annotated[int, Field(description="How many are on this page.", examples=[1])]
Total = Annotated[int, Field(description="How many there are in all.", examples=[1])]
NextCursor = Annotated[
    str | None,
    Field(description="For the page after this one; null on the last.", examples=[None]),
]


class TaskSummaryShape(Described):
    task_id: TaskId
    state: TaskState
    task_type: str | None = Field(examples=["word-count"])
    priority: PriorityName
    requirements: dict[str, Any]
    lane: str = Field(examples=["any"])
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: Instant
    expires_at: Instant | None
    started_at: Instant | None
    ended_at: Instant | None
    agent_id: AgentId | None
    progress: Progress | None
    error: TaskError | None


class TaskPageAnswer(Described):
    status: Success
    tasks: list[TaskSummaryShape]
    count: Count
    next_cursor: NextCursor
    timestamp: Instant


class WaitAnswer(Described):
    status: Success
    ended: bool = Field(description="False where the time was over first.")
    task: TaskShape
    timestamp: Instant


class HappeningShape(Described):
    event_id: str
    type: str = Field(examples=["task.started"])
    time: Instant = Field(description="By the clock of who tells; the order is that of the log.")
    generation: int
    attempt: int
    agent_id: AgentId | None = Field(description="Null where a coordinator or the broker tells.")
    details: dict[str, Any] = Field(
        description="What this type of event says beyond that: `error`, `reason`, `fraction`,"
        " `result_bytes`, …",
        examples=[{"instance": "a1b2"}],
    )


class TimelineAnswer(Described):
    status: Success
    task_id: TaskId
    events: list[HappeningShape]
    count: Count
    next_cursor: NextCursor
    timestamp: Instant


class AgentPageAnswer(Described):
    status: Success
    agents: list[AgentShape]
    count: Count
    total: Total
    next_cursor: NextCursor
    timestamp: Instant


class ParkedShape(Described):
    position: int
    received_at: Instant
    reason: str = Field(examples=["ForgedIdentity: task.started of 'a' was published as …"])
    exchange: str
    routing_key: str
    size: int = Field(description="Of the whole body, in bytes.")
    body: str = Field(description="In a list, its beginning; in base64 where it is no text.")
    encoding: Literal["utf-8", "base64"]


class ParkedWholeShape(ParkedShape):
    properties: dict[str, Any] = Field(description="The message's properties and headers.")


class ParkedPageAnswer(Described):
    status: Success
    parked: list[ParkedShape]
    count: Count
    total: Total
    next_cursor: NextCursor
    timestamp: Instant


class ParkedAnswer(Described):
    status: Success
    parked: ParkedWholeShape
    timestamp: Instant


def summary_shape(task: TaskSummary) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "state": task.state,
        "task_type": task.task_type,
        "priority": task.priority.value,
        "requirements": task.requirements,
        "lane": task.lane,
        "generation": task.generation,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "submitted_at": iso(task.submitted_at),
        "expires_at": None if task.expires_at is None else iso(task.expires_at),
        "started_at": None if task.started_at is None else iso(task.started_at),
        "ended_at": None if task.ended_at is None else iso(task.ended_at),
        "agent_id": task.agent_id,
        "progress": task.progress,
        "error": task.error,
    }


def happening_shape(one: TimelineEntry) -> dict[str, Any]:
    return {
        "event_id": one.event_id,
        "type": one.type,
        "time": iso(one.time),
        "generation": one.generation,
        "attempt": one.attempt,
        "agent_id": one.agent_id,
        "details": one.details,
    }


def parked_shape(one: ParkedMessage, *, whole: bool) -> dict[str, Any]:
    text = _text(one.body, cut=not whole)
    shape = {
        "position": one.position,
        "received_at": iso(one.received_at),
        "reason": one.reason,
        "exchange": one.exchange,
        "routing_key": one.routing_key,
        "size": one.size,
        "body": base64.b64encode(one.body).decode() if text is None else text,
        "encoding": "base64" if text is None else "utf-8",
    }
    return shape | {"properties": one.properties} if whole else shape


def _text(body: bytes, *, cut: bool) -> str | None:
    """None where it is no text; where it was ``cut``, its last character may be broken."""
    for length in range(len(body), max(len(body) - 4, 0) if cut else len(body) - 1, -1):
        try:
            return body[:length].decode()
        except UnicodeDecodeError:
            continue
    return None if body else ""
