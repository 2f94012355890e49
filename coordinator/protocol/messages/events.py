"""The events: facts in the past tense, each a pydantic model with the name that it has on the
wire.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from coordinator.protocol.ids import new_id
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.priority import Priority

from .task_message import TaskMessage

__all__ = [
    "CRASH_LOOP",
    "EVENT_TYPES",
    "OVER_HTTP",
    "AgentEvent",
    "AgentHeartbeat",
    "AgentRegistered",
    "AgentRemoved",
    "AgentStatusChanged",
    "AgentStopped",
    "AttemptError",
    "DeadLetterReason",
    "Event",
    "EventData",
    "HeldTask",
    "LedgerCaughtUp",
    "LedgerEnded",
    "LedgerMarked",
    "LiveMarked",
    "RunningTask",
    "SourceOpened",
    "SourceRetired",
    "TaskCancelled",
    "TaskCompleted",
    "TaskDeadLettered",
    "TaskDeclined",
    "TaskEvent",
    "TaskExpired",
    "TaskFailed",
    "TaskLost",
    "TaskProgressed",
    "TaskStarted",
    "TaskSubmitted",
    "TaskTooLarge",
]

_MODEL = ConfigDict(frozen=True, extra="ignore")


class EventData(BaseModel):
    """The data of an event; its envelope is `Event`."""

    model_config = _MODEL
    TYPE: ClassVar[str] = ""
    SPARED: ClassVar[tuple[str, ...]] = ()
    """Paths of fields that are left out where they cannot be read: the rest counts without them."""

    @classmethod
    def spares(cls, path: str) -> bool:
        return f"{path}.".startswith(tuple(f"{field}." for field in cls.SPARED))

    @property
    def subject(self) -> str:
        """What the event is about: the id of a task or an agent, the name of a queue."""
        return ""

    @property
    def author(self) -> str | None:
        """The id of the agent that states it; None where a coordinator or the broker does."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact with its identity: folding the same ``id`` twice changes nothing."""

    data: EventData
    id: str = field(default_factory=new_id)
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    """By the author's clock on its way; what agents say of tasks is kept by the coordinator's, as far
    as it knows theirs (`domain.clock_skew`). Shown to people, never used to order."""
    dated: bool = True
    """False where it came without an instant that could be read: ``time`` is then when it was read."""
    left_out: tuple[LeftOut, ...] = ()
    """What of it could not be read and was not needed."""

    @property
    def type(self) -> str:
        return self.data.TYPE


# --- tasks ------------------------------------------------------------------------------------


class TaskEvent(EventData):
    """Something that happened to one attempt at a task: (generation, attempt) is its fence."""

    task_id: str = Field(min_length=1, max_length=128)
    generation: int = Field(default=1, ge=1)
    attempt: int = Field(default=1, ge=1)

    @property
    def subject(self) -> str:
        return self.task_id


class _AgentsTaskEvent(TaskEvent):
    agent_id: str = Field(min_length=1, max_length=128)

    @property
    def author(self) -> str | None:
        return self.agent_id


class TaskSubmitted(TaskEvent):
    """The task message itself, as the log holds it; never published as an event of its own."""

    TYPE = "task.submitted"
    task: TaskMessage


class TaskStarted(_AgentsTaskEvent):
    """An agent began an attempt."""

    TYPE = "task.started"
    SPARED = ("instance",)
    instance: str | None = None
    """Which process of the agent: a new one each time it starts."""


class TaskDeclined(_AgentsTaskEvent):
    """An agent was given a task of a type that it has no handler for, and gave it back: no attempt."""

    TYPE = "task.declined"
    SPARED = ("task_type",)
    task_type: str | None = None
    republished: int = Field(default=0, ge=0)
    """As the message said that was given back."""
    task_token: str


class TaskProgressed(_AgentsTaskEvent):
    """An agent told the progress of an attempt."""

    TYPE = "task.progress"
    SPARED = ("fraction", "message")
    fraction: float | None = Field(default=None, ge=0, le=1)
    message: str | None = None


class TaskCompleted(_AgentsTaskEvent):
    """The work is done; ends the task, whichever attempt of the generation did it."""

    TYPE = "task.completed"
    SPARED = ("duration_seconds",)
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


class TaskFailed(_AgentsTaskEvent):
    """An attempt ended without a result."""

    TYPE = "task.failed"
    SPARED = ("duration_seconds", "retry_after_seconds", "error.traceback")
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
    """`requested`, or `cleared` with its queue."""
    message: str | None = None
    """Why, in the words of whoever asked for it."""


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


# --- agents -----------------------------------------------------------------------------------

OVER_HTTP = "http"
"""How an agent was heard that a coordinator speaks for, because it spoke to that one over HTTP."""


def _finite_only(metrics: Any) -> Any:
    """Without what is no number: an agent is alive whatever it measures. JSON writes it as null."""
    if not isinstance(metrics, dict):
        return metrics
    return {
        name: value
        for name, value in metrics.items()
        if value is not None and not (isinstance(value, float) and not math.isfinite(value))
    }


Status = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]
"""In any letter case, as over HTTP: Java's names of such words are in capitals."""

LoadMetrics = Annotated[dict[str, float], BeforeValidator(_finite_only)]


class AgentEvent(EventData):
    """Something about one agent."""

    agent_id: str = Field(min_length=1, max_length=128)

    @property
    def subject(self) -> str:
        return self.agent_id

    @property
    def author(self) -> str | None:
        return self.agent_id


class AgentRegistered(AgentEvent):
    """An agent made itself known, or said anew what it can do."""

    TYPE = "agent.registered"
    agent_type: str
    capabilities: list[str] = Field(default_factory=list)
    services: list[str] = Field(default_factory=list)
    task_types: list[str] | None = None
    """The types of tasks that it has handlers for, with `any` for a default handler; None, or none at
    all, where it does not say: it is offered all."""
    endpoints: dict[str, str] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)
    version: str = "1.0.0"
    tags: list[str] = Field(default_factory=list)
    slots: int | None = Field(default=None, ge=1)
    """How many tasks it does at once; None where it did not say."""
    instance: str | None = None
    via: str | None = None
    """`http` where it registered over HTTP, which does not prove that it is on the broker; None for
    the broker."""


class RunningTask(BaseModel):
    """A task in an agent's hands, as its heartbeat tells."""

    model_config = _MODEL
    task_id: str
    generation: int = 1
    attempt: int = 1
    started_at: datetime | None = None
    fraction: float | None = None
    message: str | None = None


class HeldTask(BaseModel):
    """A task in an agent's hands that does not run."""

    model_config = _MODEL
    task_id: str
    generation: int = 1
    attempt: int = 1


class AgentHeartbeat(AgentEvent):
    """An agent's whole state, every few seconds. Not durable: the next one replaces it."""

    TYPE = "agent.heartbeat"
    instance: str | None = None
    sequence: int = Field(default=0, ge=0)
    status: Status | None = None
    """What the agent says of itself: `active`, `draining`, `degraded`."""
    problems: list[str] | None = None
    """What somebody should put right, a sentence each."""
    slots: int | None = Field(default=None, ge=1)
    running: list[RunningTask] = Field(default_factory=list)
    held: list[HeldTask] | None = None
    """What else is in its hands: waits for a slot, or for the confirm of its outcome. With this list,
    even an empty one, the agent promises that it has nothing but these and what is `running`."""
    completed: int = Field(default=0, ge=0)
    """Tasks since this instance started."""
    failed: int = Field(default=0, ge=0)
    sources_hash: str | None = None
    """`sources_hash` of the queues that it serves, so that a missing one is noticed."""
    load_metrics: LoadMetrics = Field(default_factory=dict)
    started_at: datetime | None = None
    host: str | None = None
    pid: int | None = None
    sdk: str | None = None
    via: str | None = None
    """As with `AgentRegistered.via`."""

    @classmethod
    def spares(cls, path: str) -> bool:
        """A sign of life counts, whatever else it says."""
        return path != "agent_id"


class AgentStatusChanged(AgentEvent):
    """Somebody declared a status: a person, the API or the agent."""

    TYPE = "agent.status-changed"
    SPARED = ("load_metrics",)
    status: Status
    load_metrics: LoadMetrics | None = None
    instance: str | None = None
    """Which process is meant, where it is said of one: the next one starts afresh."""


class AgentStopped(AgentEvent):
    """The agent's process said goodbye."""

    TYPE = "agent.stopped"
    instance: str | None = None


class AgentRemoved(AgentEvent):
    """The agent is no longer part of the fleet: by request, or after a long silence."""

    TYPE = "agent.removed"
    reason: str = "requested"
    instance: str | None = None
    """Which process was silent: another one that has registered since stays."""


# --- queues -----------------------------------------------------------------------------------


class SourceOpened(EventData):
    """A queue of tasks was declared and bound."""

    TYPE = "source.opened"
    lane: str
    priority: Priority
    requirements: dict[str, Any] = Field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"{self.lane}.{self.priority}"


class SourceRetired(EventData):
    """A queue of tasks that nobody used is given up: whoever needs it opens it again."""

    TYPE = "source.retired"
    lane: str
    priority: Priority

    @property
    def subject(self) -> str:
        return f"{self.lane}.{self.priority}"


# --- the ledger -------------------------------------------------------------------------------


class LedgerMarked(EventData):
    """A coordinator put a mark into the log, to learn when everything before it is in the ledger;
    it is never stored.
    """

    TYPE = "ledger.marked"


class LiveMarked(EventData):
    """A coordinator marked how far it has heard what is said about agents. Not durable."""

    TYPE = "live.marked"


class LedgerCaughtUp(EventData):
    """The ledger has everything that was in the log before these marks. Not durable."""

    TYPE = "ledger.caught-up"
    marks: list[str]
    """The ids of the `ledger.marked` events."""


class LedgerEnded(EventData):
    """The ledger has an end, or a failed attempt, of these tasks. Not durable."""

    TYPE = "ledger.ended"
    tasks: list[str]
    """Their ids; where it is empty, any task may have ended."""


EVENT_TYPES: dict[str, type[EventData]] = {
    model.TYPE: model
    for model in (
        TaskStarted,
        TaskDeclined,
        TaskProgressed,
        TaskCompleted,
        TaskFailed,
        TaskCancelled,
        TaskExpired,
        TaskLost,
        TaskTooLarge,
        AgentRegistered,
        AgentHeartbeat,
        AgentStatusChanged,
        AgentStopped,
        AgentRemoved,
        SourceOpened,
        SourceRetired,
        LedgerMarked,
        LedgerCaughtUp,
        LedgerEnded,
        LiveMarked,
    )
}
"""What may be published as an event, by its type."""
