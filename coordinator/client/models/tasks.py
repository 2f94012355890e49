"""Describes tasks: a new one, one as it stands, its timeline, why it waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypedDict

__all__ = [
    "ENDED",
    "Answer",
    "ExplainedAgent",
    "Explanation",
    "NewTask",
    "Priority",
    "Progress",
    "Question",
    "Task",
    "TaskError",
    "TaskOptions",
    "TaskSummary",
    "TimelineEvent",
]

Priority = Literal["urgent", "critical", "high", "normal", "low"]

ENDED = frozenset({"completed", "dead", "cancelled", "expired"})
"""The states of a task that has ended."""


class TaskOptions(TypedDict, total=False):
    """May be given to `submit` beside the data: the fields of `NewTask`."""

    priority: Priority | None
    requirements: Mapping[str, Any] | None
    timeout_seconds: float | None
    progress_timeout_seconds: float | None
    max_attempts: int | None
    backoff: Mapping[str, float] | None
    delay_seconds: float | None
    not_before: datetime | None
    expires_in_seconds: float | None
    expires_at: datetime | None
    metadata: Mapping[str, Any] | None
    group: str | None
    tags: Sequence[str] | None
    callback: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """Is a task to be submitted. What is None is as the service has it."""

    task_data: Mapping[str, Any]
    """The work, as its agent understands it: any JSON object. `task_type` names the handler; `task_id`,
    where given, becomes the task's id."""
    priority: Priority | None = None
    requirements: Mapping[str, Any] | None = None
    """What the agent must have: `capabilities`, `agent_type`, `services`, `agent_id`."""
    timeout_seconds: float | None = None
    """That one attempt may take."""
    progress_timeout_seconds: float | None = None
    """That an attempt may go on without telling of progress."""
    max_attempts: int | None = None
    backoff: Mapping[str, float] | None = None
    """The pauses between attempts: `first_seconds`, `factor`, `longest_seconds`."""
    delay_seconds: float | None = None
    """Until it goes on its queue."""
    not_before: datetime | None = None
    """Instead of `delay_seconds`: when, with an offset."""
    expires_in_seconds: float | None = None
    """Within which it must start."""
    expires_at: datetime | None = None
    """Instead of `expires_in_seconds`: until when, with an offset."""
    metadata: Mapping[str, Any] | None = None
    """Anything about the task that is not work."""
    group: str | None = None
    """What it belongs to, in a word of your own."""
    tags: Sequence[str] | None = None
    callback: Mapping[str, Any] | None = None
    """Who is told of it: `url`, `events`, `secret_ref`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Tells how far an attempt has come."""

    fraction: float | None = None
    """0 to 1."""
    message: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskError:
    """Tells why an attempt failed, or why the task was ended."""

    type: str = "Error"
    """The exception's class, or a word such as `Cancelled`."""
    message: str = "no reason given"
    retryable: bool | None = None
    retry_after_seconds: float | None = None
    traceback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """Is a task as a list has it."""

    task_id: str
    state: str
    priority: str = "normal"
    task_type: str | None = None
    requirements: Mapping[str, Any] = field(default_factory=dict)
    lane: str = ""
    generation: int = 1
    attempt: int = 0
    max_attempts: int | None = None
    submitted_at: datetime | None = None
    expires_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    agent_id: str | None = None
    progress: Progress | None = None
    error: TaskError | None = None
    submitted_by: str | None = None
    parent_id: str | None = None
    """The task whose handler has submitted it, where one has."""
    group: str | None = None
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Is what a task asks people, while it is `input_required`."""

    question_id: str
    question: Any = None
    answer_schema: Mapping[str, Any] | None = None
    """A JSON schema that the answer has to satisfy."""
    asked_at: datetime | None = None
    until: datetime | None = None
    attempt: int = 1
    agent_id: str = ""
    released: bool = False
    """Whether the attempt ended with it, so that another one begins with the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Is what a task was answered."""

    question_id: str
    answer: Any = None
    timed_out: bool = False
    answered_by: str | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Is a task as it stands."""

    task_id: str
    state: str
    """`scheduled`, `queued`, `running`, `waiting`, `input_required`, or one of `ENDED`."""
    priority: str = "normal"
    requirements: Mapping[str, Any] = field(default_factory=dict)
    lane: str = ""
    task_data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] | None = None
    generation: int = 1
    attempt: int = 0
    max_attempts: int | None = None
    submitted_at: datetime | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    agent_id: str | None = None
    """Who works on it, or did last."""
    progress: Progress | None = None
    result: Any = None
    """What the agent returned."""
    error: TaskError | None = None
    submitted_by: str | None = None
    parent_id: str | None = None
    """The task whose handler has submitted it, where one has."""
    group: str | None = None
    tags: Sequence[str] = ()
    callback: Mapping[str, Any] | None = None
    """As it was asked for, and how it stands."""
    question: Question | None = None
    """That it waits for an answer to."""
    answers: Sequence[Answer] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """Is one event of a task's timeline."""

    event_id: str
    type: str
    time: datetime
    generation: int = 1
    attempt: int = 0
    agent_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedAgent:
    """Is an agent with what keeps it from a task."""

    agent_id: str
    status: str
    why_not: Sequence[str] = ()
    """Sentences; none where nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Says why a task is where it is."""

    task_id: str
    state: str
    why: str
    """One sentence."""
    lane: str = ""
    priority: str = "normal"
    task_type: str | None = None
    requirements: Mapping[str, Any] = field(default_factory=dict)
    due_at: datetime | None = None
    ahead: Mapping[str, int] = field(default_factory=dict)
    """Tasks of its lane that are taken before it, by priority."""
    able: Sequence[ExplainedAgent] = ()
    able_count: int = 0
    unable: Sequence[ExplainedAgent] = ()
    unable_count: int = 0
    warnings: Sequence[str] = ()
    """What has to change before it can be done."""
