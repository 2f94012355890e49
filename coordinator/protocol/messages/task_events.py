"""Defines the events about tasks: what agents, coordinators and the broker say of an attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from .event import EventData
from .task_message import TaskMessage

__all__ = [
    "CRASH_LOOP",
    "MAX_ANSWERS",
    "MAX_QUESTION_BYTES",
    "MAX_QUESTION_ID",
    "AgentsTaskEvent",
    "AttemptError",
    "DeadLetterReason",
    "TaskAnswered",
    "TaskAsked",
    "TaskCancelled",
    "TaskCompleted",
    "TaskDeadLettered",
    "TaskDeclined",
    "TaskEvent",
    "TaskExpired",
    "TaskFailed",
    "TaskLost",
    "TaskProgressed",
    "TaskResumed",
    "TaskStarted",
    "TaskSubmitted",
    "TaskTooLarge",
]


MAX_ANSWERS = 32
"""Answers that a generation of a task keeps, the last of them: they go with its message to each attempt."""

MAX_QUESTION_ID = 64
"""Characters."""

MAX_QUESTION_BYTES = 16 * 1024
"""Of JSON; likewise of the schema for its answer."""


class TaskEvent(EventData):
    """Something that happened to one attempt at a task: (generation, attempt) is its fence."""

    task_id: str = Field(min_length=1, max_length=128)
    generation: int = Field(default=1, ge=1)
    attempt: int = Field(default=1, ge=1)

    @property
    def subject(self) -> str:
        return self.task_id


class AgentsTaskEvent(TaskEvent):
    """Something that an agent says of an attempt that it was given."""

    agent_id: str = Field(min_length=1, max_length=128)
    crashes: int | None = Field(default=None, ge=0)
    """Agents that were lost with the message in hand and that ``attempt`` counts: the token is of the
    attempt that many before. None where the agent does not count them apart."""
    task_token: str | None = None
    """The token of the message. Agents of before send it with what ends an attempt alone."""

    @property
    def author(self) -> str | None:
        return self.agent_id


class TaskSubmitted(TaskEvent):
    """The task message itself, as the log holds it; never published as an event of its own."""

    TYPE = "task.submitted"
    task: TaskMessage


class TaskStarted(AgentsTaskEvent):
    """An agent began an attempt."""

    TYPE = "task.started"
    SPARED = ("instance", "crashes")
    instance: str | None = None
    """Which process of the agent: a new one each time it starts."""


class TaskDeclined(AgentsTaskEvent):
    """An agent was given a task of a type that it has no handler for, and gave it back: no attempt."""

    TYPE = "task.declined"
    SPARED = ("task_type", "crashes")
    task_type: str | None = None
    republished: int = Field(default=0, ge=0)
    """As the message said that was given back."""
    task_token: str


class TaskProgressed(AgentsTaskEvent):
    """An agent told the progress of an attempt."""

    TYPE = "task.progress"
    SPARED = ("fraction", "message", "crashes")
    fraction: float | None = Field(default=None, ge=0, le=1)
    message: str | None = None


class TaskAsked(AgentsTaskEvent):
    """An agent asks people for input that its attempt needs: the task is `input_required` until it has an
    answer.
    """

    TYPE = "task.asked"
    SPARED = ("timeout_seconds", "crashes")
    question_id: str = Field(min_length=1, max_length=MAX_QUESTION_ID)
    """By which an attempt after this one finds the answer again; within a task, one for each question."""
    question: Any
    """What is shown to people: a text, or an object with `question`, and `choices` where these are all the
    answers there are.
    """
    answer_schema: dict[str, Any] | None = None
    """A JSON schema that the answer has to satisfy."""
    timeout_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """After so long an answer is not waited for; None means for ever."""
    release: bool = False
    """Whether the attempt ends with the question, and another one follows that has the answer."""
    repeated: int = Field(default=0, ge=0)
    """How often it was asked before by this attempt, which has heard no answer."""


class TaskResumed(AgentsTaskEvent):
    """An attempt that kept its slot goes on without an answer: it has waited for long enough."""

    TYPE = "task.resumed"
    SPARED = ("crashes",)
    question_id: str = Field(min_length=1, max_length=MAX_QUESTION_ID)


class TaskCompleted(AgentsTaskEvent):
    """The work is done; ends the task, unless an attempt of a later message of it runs by then."""

    TYPE = "task.completed"
    SPARED = ("duration_seconds", "crashes")
    result: Any = None
    duration_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    task_token: str


def _lines(traceback: Any) -> Any:
    """A list of lines is their text: Ruby's exceptions have one."""
    if isinstance(traceback, list) and all(isinstance(line, str) for line in traceback):
        return "\n".join(traceback)
    return traceback


class AttemptError(BaseModel):
    """The error of a failed attempt. A number stands for its digits: some languages' errors are numbered."""

    model_config = ConfigDict(frozen=True, extra="ignore", coerce_numbers_to_str=True)
    type: str = "Error"
    """The name of the exception's class, or a word of the agent's own."""
    message: str = ""
    traceback: Annotated[str | None, BeforeValidator(_lines)] = None
    """Trimmed by the agent."""


CRASH_LOOP = AttemptError(
    type="CrashLoop", message="Agent after agent was lost with this task in its hands."
)
"""Of an attempt that no agent starts any more, because too many were lost over it."""


def _message_alone(error: Any) -> Any:
    if isinstance(error, str):
        return {"message": error}
    if isinstance(error, dict | AttemptError) or error in (None, []):
        return error
    raise PydanticCustomError("error_shape", "give a text, or an object with `type` and `message`")


class TaskFailed(AgentsTaskEvent):
    """An attempt ended without a result."""

    TYPE = "task.failed"
    SPARED = ("duration_seconds", "retry_after_seconds", "error.traceback", "crashes")
    error: Annotated[AttemptError, BeforeValidator(_message_alone)]
    """A text alone is the error's message."""
    retryable: bool = True
    retry_after_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    duration_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    task_token: str


class TaskCancelled(TaskEvent):
    """A coordinator ended the task before its work was done."""

    TYPE = "task.cancelled"
    reason: str
    """`requested`, `cleared` with its queue, or `with-parent`."""
    message: str | None = None
    """Why, in the words of whoever asked for it."""
    by: str | None = None
    """Who asked for it, where the API asks for credentials: `key:<name>` or `jwt:<subject>`."""


class TaskAnswered(TaskEvent):
    """A coordinator has an answer to the question of a task; or says that there will be none, since its time
    is over.
    """

    TYPE = "task.answered"
    question_id: str = Field(min_length=1, max_length=MAX_QUESTION_ID)
    question_digest: str
    """`json_digest` of the question that was answered."""
    answer: Any = None
    timed_out: bool = False
    by: str | None = None
    """Who answered, where the API asks for credentials: `key:<name>` or `jwt:<subject>`."""


class TaskExpired(TaskEvent):
    """The deadline passed before an attempt started."""

    TYPE = "task.expired"


class TaskLost(TaskEvent):
    """A coordinator gave an attempt up: its agent does not work on it, and no queue holds it."""

    TYPE = "task.lost"
    started_by: str = Field(min_length=1, max_length=128)
    """The agent that had started it."""
    started_at: datetime
    """When, as the ledger has it: it counts for that start alone."""
    reason: str
    """`not-named`, where the agent was heard and did not name it, or `agent-gone`."""
    message: str
    """The same for people."""


class TaskTooLarge(TaskEvent):
    """A coordinator could not put the task on its queue, because the broker takes no message so large
    any more; ends the task.
    """

    TYPE = "task.too-large"
    size: int
    """Bytes of the message."""
    limit: int
    """Bytes: RabbitMQ's `max_message_size`."""
    message: str
    """The same for people, with what to do."""


DeadLetterReason = Literal["rejected", "delivery_limit", "expired"]
"""RabbitMQ's word for why it gave a message up, as `x-first-death-reason` says."""


class TaskDeadLettered(TaskEvent):
    """The broker gave the message up; never published as an event of its own."""

    TYPE = "task.dead-lettered"
    reason: DeadLetterReason
    task: TaskMessage
