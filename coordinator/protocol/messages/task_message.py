"""Defines the task message, which carries a producer's request on the wire, and reads and writes it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from coordinator.errors import MalformedMessage
from coordinator.protocol.id_limits import MAX_ID, MAX_TAG, MOST_TAGS, printable
from coordinator.protocol.lanes import LONG_AFTER, lane_name
from coordinator.protocol.message import Message
from coordinator.protocol.message_ttl import time_to_live
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.trace_context import TraceContext

__all__ = [
    "TASK_TYPE",
    "AnyTask",
    "Backoff",
    "Callback",
    "InputAnswer",
    "TaskMessage",
    "attempt_id",
    "describe",
    "scheduling_id",
    "task_envelope",
    "task_queue_of",
    "task_type_of",
]

_LONG_AFTER = LONG_AFTER.total_seconds()

TASK_TYPE = "task"
"""The AMQP `type` property of a task message."""


class Backoff(BaseModel):
    """A task's own pauses before another attempt; a field that is None is as the coordinator has it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    first_seconds: float | None = Field(default=None, ge=0)
    """The pause after the first failed attempt."""
    factor: float | None = Field(default=None, ge=1)
    """Each pause is this many times the one before."""
    longest_seconds: float | None = Field(default=None, ge=0)
    """No pause is longer."""


class Callback(BaseModel):
    """Whom a coordinator tells what becomes of a task, by a POST."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str = Field(max_length=2048)
    events: tuple[str, ...] = ("ended",)
    """Words of `domain.callbacks.callback_events`."""
    secret_ref: str = Field(default="default", max_length=64)
    """The name of the secret that signs what is told; the secret itself never leaves the coordinators."""


class InputAnswer(BaseModel):
    """Carries the answer to a question of an attempt."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question_id: str
    question_digest: str
    """`json_digest` of the question: another one under the same id has no answer yet."""
    answer: Any = None
    timed_out: bool = False
    """Nobody has answered while there was time."""


def scheduling_id(task_id: str, generation: int, attempt: int = 1) -> str:
    """The id of the message that tells the log when an attempt is to go to its queue."""
    return f"{task_id}.{generation}.{attempt}.scheduled"


def attempt_id(task_id: str, generation: int, attempt: int, *, scheduled: bool) -> str:
    """The id of an attempt's message; as `scheduling_id` of one that is ``scheduled``."""
    if scheduled:
        return scheduling_id(task_id, generation, attempt)
    return f"{task_id}.{generation}.{attempt}"


def task_queue_of(
    wanted: Requirements, priority: Priority, timeout_seconds: float | None
) -> TaskQueue:
    """The queue that a task with these properties belongs on."""
    long = timeout_seconds is not None and timeout_seconds > _LONG_AFTER
    return TaskQueue(lane_name(wanted, long=long), priority)


class AnyTask(Protocol):
    """A task that has a message of its own: `TaskMessage`, or `new_task.NewTask`."""

    @property
    def task_id(self) -> str: ...
    @property
    def message_id(self) -> str: ...
    @property
    def submitted_at(self) -> datetime: ...
    @property
    def not_before(self) -> datetime | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    @property
    def traceparent(self) -> str | None: ...
    @property
    def tracestate(self) -> str | None: ...


def task_envelope(task: AnyTask, body: bytes) -> Message:
    """The message of ``task``, which is ``body``. One that schedules never expires: it is for the log
    alone, which must not lose it.
    """
    expiration = None
    if task.not_before is None:
        expiration = time_to_live(task.expires_at, task.submitted_at)
    return Message(
        body=body,
        message_id=task.message_id,
        type=TASK_TYPE,
        correlation_id=task.task_id,
        timestamp=task.submitted_at.astimezone(UTC),
        headers=_trace_headers(task),
        expiration=expiration,
    )


def _trace_headers(task: AnyTask) -> dict[str, str]:
    if task.traceparent is None:
        return {}
    return TraceContext(task.traceparent, task.tracestate).headers()


def _printable(value: str) -> str:
    if not printable(value):
        raise ValueError("must consist of printable characters")
    return value


_Group = Annotated[str, Field(min_length=1, max_length=MAX_ID), AfterValidator(_printable)]
_Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG), AfterValidator(_printable)]


class TaskMessage(BaseModel):
    """One attempt at a task, as an agent receives it. Readers ignore fields that they do not
    know.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task_id: str = Field(min_length=1, max_length=128)
    generation: int = Field(default=1, ge=1)
    """Goes up when a person redrives a dead task."""
    attempt: int = Field(default=1, ge=1)
    max_attempts: int = Field(default=1, ge=1)
    backoff: Backoff | None = None
    """Where the task has its own."""
    task_data: dict[str, Any]
    priority: Priority
    requirements: dict[str, Any] = Field(default_factory=dict)
    submitted_at: datetime
    timeout_seconds: float | None = None
    """Seconds that one attempt may take; None means the agent's default."""
    progress_timeout_seconds: float | None = None
    """Seconds that an attempt may go on without telling of progress; None means for ever."""
    not_before: datetime | None = None
    """Only in the message that schedules a task, which goes to the log alone; the one that is put on
    a queue when the time has come has none."""
    expires_at: datetime | None = None
    """Not to be started after this instant."""
    metadata: dict[str, Any] | None = None
    group: _Group | None = None
    """What the task belongs to: a word of the producer's, or the id of its batch."""
    tags: Annotated[tuple[_Tag, ...], Field(max_length=MOST_TAGS)] | None = None
    """Words by which the producer finds it again, sorted and each once."""
    callback: Callback | None = None
    """For coordinators alone: agents do not look at it."""
    parent_id: str | None = Field(default=None, min_length=1, max_length=128)
    """The task whose handler has submitted it, where one has."""
    cancel_with_parent: int | None = Field(default=None, ge=1, lt=2**31)
    """The generation of the parent with which it is cancelled. For coordinators alone."""
    submitted_by: str | None = None
    """Who submitted it, where the API asks for credentials: `key:<name>` or `jwt:<subject>`."""
    redriven_by: str | None = None
    """Who had it tried again, as this generation."""
    previous_progress: Any = None
    """The last progress that the attempt before this one reported."""
    answers: list[InputAnswer] | None = None
    """What people have answered to questions of attempts before this one."""
    republished: int | None = Field(default=None, ge=1)
    """How often the message was put on a queue again: it was found missing, or given back, or what waited
    was moved to the lane of its type."""
    traceparent: str | None = None
    """The W3C trace context of whoever submitted the task; in the message's headers, too, unless a tracing
    library has put the one of this message there."""
    tracestate: str | None = None
    """What tracing systems add to it."""
    task_token: str
    """Proof of receipt; goes back in the event that ends the attempt."""

    @property
    def task_type(self) -> str | None:
        """What kind of work it is: `task_data.task_type`, where it is a string."""
        return task_type_of(self.task_data)

    @property
    def trace(self) -> TraceContext | None:
        """That of whoever submitted the task; None where there is none, or it cannot be read."""
        return TraceContext.of(self.traceparent, self.tracestate)

    @property
    def wanted(self) -> Requirements:
        """What it asks of an agent. See `requirements`, of which this is the checked form."""
        return Requirements.from_dict(self.requirements)

    @property
    def source(self) -> TaskQueue:
        """The queue that this task belongs on."""
        return task_queue_of(self.wanted, self.priority, self.timeout_seconds)

    @property
    def message_id(self) -> str:
        """One per attempt, so that a task published twice is folded once; scheduling has its own."""
        if self.republished:
            return f"{self.task_id}.{self.generation}.{self.attempt}.again-{self.republished}"
        scheduled = self.not_before is not None
        return attempt_id(self.task_id, self.generation, self.attempt, scheduled=scheduled)

    def to_message(self) -> Message:
        return task_envelope(self, self.model_dump_json(exclude_none=True).encode())

    @classmethod
    def from_message(cls, message: Message) -> TaskMessage:
        """Raises `MalformedMessage` with the first thing that is wrong."""
        try:
            return cls.model_validate_json(message.body)
        except ValidationError as exc:
            raise MalformedMessage(f"not a task: {describe(exc)}") from exc


def task_type_of(task_data: dict[str, Any]) -> str | None:
    """What kind of work it is: `task_type`, where it is a string that says something."""
    value = task_data.get("task_type")
    return value if isinstance(value, str) and value else None


def describe(exc: ValidationError) -> str:
    """The first problem of a validation error, in one line."""
    first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {first['msg']}" if where else first["msg"]
