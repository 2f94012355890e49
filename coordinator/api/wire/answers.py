"""What answers hold, for the OpenAPI document; `shapes` and the endpoints build them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coordinator.domain.agent_statuses import AgentStatus as _Status
from coordinator.domain.task import State

__all__ = [
    "AgentAnswer",
    "AgentRemovedAnswer",
    "BatchSubmitted",
    "CancelledAnswer",
    "ClearedAnswer",
    "DeadTasksAnswer",
    "Described",
    "Discovered",
    "DrainAnswer",
    "Error",
    "Health",
    "HeartbeatAnswer",
    "Live",
    "QueueSizesAnswer",
    "QueueStatsAnswer",
    "Ready",
    "RedrivenAnswer",
    "RedrivenManyAnswer",
    "Registered",
    "Root",
    "StatusUpdated",
    "Submitted",
    "TaskAnswer",
    "TaskDeletedAnswer",
    "TaskStatusAnswer",
    "Warned",
]

Success = Literal["success"]
PriorityName = Annotated[
    Literal["urgent", "critical", "high", "normal", "low"], Field(examples=["normal"])
]
AgentId = Annotated[str, Field(examples=["hermes-agent"])]
TaskId = Annotated[str, Field(examples=["0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10"])]
Instant = Annotated[
    datetime,
    Field(examples=["2026-01-31T12:00:00.123456+00:00"], description="ISO 8601, in UTC."),
]
AgentStatus = Annotated[
    str,
    Field(examples=["active"], json_schema_extra={"enum": [status.value for status in _Status]}),
]
TaskState = Annotated[
    str, Field(examples=["completed"], json_schema_extra={"enum": [state.value for state in State]})
]
Warned = Annotated[
    str | None,
    Field(
        default=None,
        description="Which keys of the request are unknown and were ignored.",
        examples=["These unknown keys were ignored: 'priorty' (did you mean 'priority'?)."],
    ),
]
Names = Annotated[list[str], Field(examples=[["data-processing", "analysis"]])]


class Described(BaseModel):
    """Of use to the document alone, so that nothing is made of it until somebody asks for that."""

    model_config = ConfigDict(defer_build=True)


class FieldError(Described):
    field: str = Field(description="Which field; `body` for the whole.")
    message: str


class Error(Described):
    """Every error: `detail` is a sentence that says what to do."""

    detail: str
    errors: list[FieldError] | None = Field(default=None, description="422: each field.")
    status: Literal["error"] | None = Field(default=None, description="404")
    message: str | None = Field(default=None, description="404: the same as `detail`.")
    timestamp: datetime | None = Field(default=None, description="404")
    reason: str | None = Field(default=None, description="503: why.")
    task_id: str | None = Field(
        default=None, description="503 with an unknown outcome: the id that the task has, if it is."
    )


# --- agents -----------------------------------------------------------------------------------


class AgentShape(Described):
    agent_id: AgentId
    agent_type: str = Field(examples=["worker"])
    status: AgentStatus
    listening: bool = Field(
        description="Whether it takes tasks, now or when a slot is free: its status lets it, and it has"
        " a control queue on the broker. Who speaks HTTP alone has none."
    )
    capabilities: Names
    services: list[str] = Field(examples=[["task-execution"]])
    task_types: list[str] | None = Field(
        examples=[["keywords", "any"]],
        description="That it has handlers for, with `any` for a default handler; null where it does not"
        " say.",
    )
    endpoints: dict[str, str] = Field(examples=[{"http": "http://localhost:9002"}])
    metadata: dict[str, Any] = Field(
        description=(
            "As it registered. Added are `other_instance`, where a second process beats under its id,"
            " and `clock_skew_seconds`, where its clock is more than two seconds ahead of this"
            " coordinator's, or behind (negative)."
        ),
        examples=[{"version": "1.0.0"}],
    )
    last_heartbeat: Instant
    registration_time: Instant
    load_metrics: dict[str, float] = Field(examples=[{"active_connections": 5}])
    health_score: float = Field(ge=0, le=1, examples=[1.0])
    version: str = Field(examples=["1.0.0"])
    tags: list[str] = Field(examples=[[]])


class Registered(Described):
    status: Success
    message: str = Field(examples=["Agent hermes-agent registered successfully"])
    agent_id: AgentId
    registered_at: Instant
    warning: str | None = Field(
        default=None,
        description="That the agent has no control queue on the broker, and so takes no tasks; which"
        " keys of the request are unknown and were ignored.",
    )


class Discovered(Described):
    status: Success
    query: dict[str, Any] = Field(
        description="The filters that were given.",
        examples=[{"status": "active", "agent_type": "worker"}],
    )
    agents: list[AgentShape] = Field(description="The best health first, then by id.")
    count: int = Field(description="How many are in the answer.", examples=[1])
    total: int | None = Field(
        default=None, description="How many match, where `limit` left some of them out."
    )
    warning: Warned
    timestamp: Instant


class AgentAnswer(Described):
    status: Success
    agent: AgentShape
    timestamp: Instant


class StatusUpdated(Described):
    status: Success
    message: str = Field(examples=["Agent hermes-agent status updated"])
    agent_id: AgentId
    new_status: AgentStatus
    updated_at: Instant
    warning: Warned


class HeartbeatAnswer(Described):
    status: Success
    message: str = Field(examples=["Heartbeat received from hermes-agent"])
    agent_id: AgentId
    heartbeat_at: Instant
    warning: Warned


class DrainAnswer(Described):
    status: Success
    message: str = Field(examples=["Agent hermes-agent is draining"])
    agent_id: AgentId
    told: bool = Field(description="Whether it has a connection to the broker to be told over.")
    drained_at: Instant


class AgentRemovedAnswer(Described):
    status: Success
    message: str = Field(examples=["Agent hermes-agent removed"])
    agent_id: AgentId
    timestamp: Instant


# --- tasks ------------------------------------------------------------------------------------


class Submitted(Described):
    status: Success
    message: Literal["Task submitted successfully"]
    task_id: TaskId
    priority: PriorityName
    submitted_at: Instant
    warning: str | None = Field(
        default=None,
        description="Where no agent is there that could do it, or where keys of the request are"
        " unknown and were ignored.",
        examples=[
            "No agent that is registered now meets the requirements: the task waits for one."
        ],
    )
    state: Literal["scheduled"] | None = Field(default=None, description="Where it is scheduled.")
    not_before: Instant | None = Field(
        default=None, description="Where it is scheduled: when it goes on its queue."
    )


class VerdictError(Described):
    """The error that the task alone would have been answered with."""

    status_code: int = Field(examples=[422])
    detail: str
    errors: list[FieldError] | None = None
    reason: str | None = None


class VerdictShape(Described):
    index: int = Field(description="Its place in the request, from 0.")
    status: Literal["accepted", "rejected", "unknown"]
    task_id: TaskId | None = None
    priority: PriorityName | None = None
    submitted_at: Instant | None = None
    state: Literal["scheduled"] | None = None
    not_before: Instant | None = None
    warning: str | None = None
    error: VerdictError | None = None


class BatchSubmitted(Described):
    status: Success
    accepted: int = Field(examples=[2])
    rejected: int = Field(examples=[0])
    unknown: int = Field(examples=[0])
    results: list[VerdictShape] = Field(description="In the order of the request.")
    warning: Warned
    timestamp: Instant


class Progress(Described):
    fraction: float | None = Field(description="0 to 1.", examples=[0.4])
    message: str | None = Field(examples=["page 12 of 30"])
    at: str | None = Field(default=None, examples=["2026-01-31T12:00:00.123456+00:00"])


class TaskError(Described):
    type: str = Field(description="The exception's class, or a word such as `Cancelled`.")
    message: str
    retryable: bool | None = None
    retry_after_seconds: float | None = None
    traceback: str | None = None


class TaskShape(Described):
    task_id: TaskId
    state: TaskState
    priority: PriorityName
    requirements: dict[str, Any]
    lane: str = Field(description="The queues that it goes through: tasks.<lane>.<priority>.")
    task_data: dict[str, Any]
    metadata: dict[str, Any] | None = Field(examples=[None])
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: Instant
    not_before: Instant | None = Field(description="When it goes, or went, on its queue.")
    expires_at: Instant | None = Field(description="Until when it must start.")
    started_at: Instant | None
    ended_at: Instant | None
    agent_id: AgentId | None = Field(description="Who works on it, or did last.")
    progress: Progress | None = Field(description="As the agent last told it.")
    result: Any = Field(description="What the agent returned.", examples=[{"words": 2}])
    error: TaskError | None = Field(
        description="Why the last attempt failed, or why the task was ended.", examples=[None]
    )


class TaskAnswer(Described):
    status: Success
    task: TaskShape
    timestamp: Instant


class CancelledAnswer(Described):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 cancelled"])
    task_id: TaskId
    was: TaskState = Field(description="The state that it was in.", examples=["queued"])
    cancelled_at: Instant


class TaskDeletedAnswer(Described):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 deleted"])
    task_id: TaskId
    timestamp: Instant


class RedrivenAnswer(Described):
    status: Success
    message: str = Field(examples=["Task 0197f3a0-5b1e-7c3d-9a41-2f6d8e5b7c10 will be tried again"])
    task_id: TaskId
    was: TaskState = Field(description="The state that it was in.", examples=["dead"])
    generation: int = Field(examples=[2])
    due_at: Instant


class RedrivenManyAnswer(Described):
    status: Success
    message: str = Field(examples=["12 of 12 dead tasks redriven"])
    dry_run: bool
    matched: int = Field(description="Dead tasks that match the filters.")
    redriven: int = Field(description="Of these, the ones that will be tried again.")
    last_due_at: Instant | None = Field(description="When the last of them goes to its queue.")
    timestamp: Instant


class DeadGroupShape(Described):
    error_type: str = Field(examples=["ValueError"])
    count: int
    first_at: Instant = Field(description="When the first of them died.")
    last_at: Instant


class DeadTaskShape(Described):
    task_id: TaskId
    task_type: str | None
    priority: PriorityName
    lane: str
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: Instant
    ended_at: Instant
    agent_id: AgentId | None = Field(description="Who had it last.")
    error: TaskError | None


class DeadTasksAnswer(Described):
    status: Success
    total: int = Field(description="Dead tasks that match the filters, on all pages.")
    groups: list[DeadGroupShape] = Field(description="All of these by error, most tasks first.")
    tasks: list[DeadTaskShape] = Field(description="One page, the last that died first.")
    next_cursor: str | None = Field(description="For the next page; null on the last.")
    timestamp: Instant


class QueueSizesShape(Described):
    urgent: int
    critical: int
    high: int
    normal: int
    low: int


class LoadBalancerStats(Described):
    strategy: Literal["least_connections"]
    total_assignments: int = Field(description="Attempts started.")
    successful_assignments: int
    failed_assignments: int
    success_rate: float
    active_agents: int = Field(description="Agents that are active or busy.")
    listening_agents: int = Field(
        description="Agents that take tasks from the broker, now or when a slot is free."
    )
    agent_weights: int = Field(description="Agents with a weight set.")
    avg_agent_load: float = Field(description="Running tasks per live agent.")


class TotalsShape(Described):
    tasks_distributed: int = Field(description="Tasks confirmed onto their queue.")
    tasks_completed: int
    tasks_failed: int
    avg_distribution_time: float = Field(description="Mean seconds from acceptance to start.")
    load_balancer_stats: LoadBalancerStats
    queue_sizes: QueueSizesShape = Field(description="Tasks that wait, from the broker.")


class TaskStatusAnswer(Described):
    status: Success
    stats: TotalsShape
    timestamp: Instant


# --- queues -----------------------------------------------------------------------------------


class QueueSizesAnswer(Described):
    status: Success
    queue_sizes: QueueSizesShape
    timestamp: Instant


_OLDEST = Field(
    description="Since the first of the tasks that wait was submitted; null where none waits.",
    examples=[1.25],
)


class QueueShape(Described):
    queue: str = Field(
        description="Its name in RabbitMQ's management UI.", examples=["tasks.cap:analysis.normal"]
    )
    lane: str = Field(examples=["cap:analysis"])
    priority: PriorityName
    requirements: dict[str, Any] = Field(examples=[{"capabilities": ["analysis"]}])
    exists: bool = Field(description="False where it was deleted; the next task opens it again.")
    ready: int = Field(description="Tasks that wait.")
    oldest_waiting_seconds: float | None = _OLDEST
    listening: int = Field(
        description="Agents that may do its tasks, have a control queue on the broker and take work,"
        " now or when a slot is free."
    )
    consumers: int = Field(description="Of the queue itself, as the broker counts them.")


class PriorityTotals(Described):
    queues: int
    ready: int
    oldest_waiting_seconds: float | None = _OLDEST
    consumers: int


class QueueStatsAnswer(Described):
    status: Success
    queue_sizes: QueueSizesShape
    priorities: dict[PriorityName, PriorityTotals]
    queues: list[QueueShape]
    distribution_stats: TotalsShape
    timestamp: Instant


class ClearedAnswer(Described):
    status: Success
    message: str = Field(examples=["Cleared 12 tasks from low queue"])
    priority: PriorityName
    cleared_count: int = Field(examples=[12])
    timestamp: Instant


# --- the service ------------------------------------------------------------------------------


class Root(Described):
    service: str
    description: str
    version: str
    endpoints: list[str]


class Health(Described):
    status: Literal["healthy", "degraded"]
    service: Literal["agent-coordinator"]
    version: str
    timestamp: Instant
    problems: list[str] | None = Field(default=None, description="Where degraded: what is wrong.")


class Live(Described):
    status: Literal["alive"]
    timestamp: Instant


class Ready(Described):
    status: Literal["ready"]
    timestamp: Instant
