"""What answers hold, for the OpenAPI document; `shapes` and the endpoints build them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

__all__ = [
    "AgentAnswer",
    "AgentRemovedAnswer",
    "ClearedAnswer",
    "Discovered",
    "Error",
    "Health",
    "HeartbeatAnswer",
    "Live",
    "QueueSizesAnswer",
    "QueueStatsAnswer",
    "Ready",
    "Registered",
    "Root",
    "StatusUpdated",
    "Submitted",
    "TaskAnswer",
    "TaskStatusAnswer",
]

Success = Literal["success"]
PriorityName = Literal["urgent", "critical", "high", "normal", "low"]


class FieldError(BaseModel):
    field: str = Field(description="Which field; `body` for the whole.")
    message: str


class Error(BaseModel):
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


class AgentShape(BaseModel):
    agent_id: str
    agent_type: str
    status: str
    capabilities: list[str]
    services: list[str]
    endpoints: dict[str, str]
    metadata: dict[str, Any]
    last_heartbeat: datetime
    registration_time: datetime
    load_metrics: dict[str, float]
    health_score: float = Field(ge=0, le=1)
    version: str
    tags: list[str]


class Registered(BaseModel):
    status: Success
    message: str
    agent_id: str
    registered_at: datetime


class Discovered(BaseModel):
    status: Success
    query: dict[str, Any] = Field(description="The filters that were given.")
    agents: list[AgentShape]
    count: int
    timestamp: datetime


class AgentAnswer(BaseModel):
    status: Success
    agent: AgentShape
    timestamp: datetime


class StatusUpdated(BaseModel):
    status: Success
    message: str
    agent_id: str
    new_status: str
    updated_at: datetime


class HeartbeatAnswer(BaseModel):
    status: Success
    message: str
    agent_id: str
    heartbeat_at: datetime


class AgentRemovedAnswer(BaseModel):
    status: Success
    message: str
    agent_id: str
    timestamp: datetime


# --- tasks ------------------------------------------------------------------------------------


class Submitted(BaseModel):
    status: Success
    message: Literal["Task submitted successfully"]
    task_id: str
    priority: PriorityName
    submitted_at: datetime


class TaskShape(BaseModel):
    task_id: str
    state: str = Field(
        description="queued, running, waiting, completed, dead, cancelled, expired or scheduled."
    )
    priority: PriorityName
    requirements: dict[str, Any]
    lane: str = Field(description="The queues that it goes through: tasks.<lane>.<priority>.")
    task_data: dict[str, Any]
    metadata: dict[str, Any] | None
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    agent_id: str | None = Field(description="Who works on it, or did last.")
    progress: Any
    result: Any
    error: Any


class TaskAnswer(BaseModel):
    status: Success
    task: TaskShape
    timestamp: datetime


class QueueSizesShape(BaseModel):
    urgent: int
    critical: int
    high: int
    normal: int
    low: int


class LoadBalancerStats(BaseModel):
    strategy: Literal["least_connections"]
    total_assignments: int = Field(description="Attempts started.")
    successful_assignments: int
    failed_assignments: int
    success_rate: float
    active_agents: int = Field(description="Agents that are active or busy.")
    agent_weights: int = Field(description="Agents with a weight set.")
    avg_agent_load: float = Field(description="Running tasks per live agent.")


class TotalsShape(BaseModel):
    tasks_distributed: int = Field(description="Tasks confirmed onto their queue.")
    tasks_completed: int
    tasks_failed: int
    avg_distribution_time: float = Field(description="Mean seconds from acceptance to start.")
    load_balancer_stats: LoadBalancerStats
    queue_sizes: QueueSizesShape = Field(description="Tasks that wait, from the broker.")


class TaskStatusAnswer(BaseModel):
    status: Success
    stats: TotalsShape
    timestamp: datetime


# --- queues -----------------------------------------------------------------------------------


class QueueSizesAnswer(BaseModel):
    status: Success
    queue_sizes: QueueSizesShape
    timestamp: datetime


class QueueShape(BaseModel):
    queue: str = Field(description="Its name in RabbitMQ's management UI.")
    lane: str
    priority: PriorityName
    requirements: dict[str, Any]
    exists: bool = Field(description="False where it was deleted; the next task opens it again.")
    ready: int = Field(description="Tasks that wait.")
    consumers: int


class PriorityTotals(BaseModel):
    queues: int
    ready: int
    consumers: int


class QueueStatsAnswer(BaseModel):
    status: Success
    queue_sizes: QueueSizesShape
    priorities: dict[PriorityName, PriorityTotals]
    queues: list[QueueShape]
    distribution_stats: TotalsShape
    timestamp: datetime


class ClearedAnswer(BaseModel):
    status: Success
    message: str
    priority: PriorityName
    cleared_count: int
    timestamp: datetime


# --- the service ------------------------------------------------------------------------------


class Root(BaseModel):
    service: str
    description: str
    version: str
    endpoints: list[str]


class Health(BaseModel):
    status: Literal["healthy", "degraded"]
    service: Literal["agent-coordinator"]
    version: str
    timestamp: datetime
    problems: list[str] | None = Field(default=None, description="Where degraded: what is wrong.")


class Live(BaseModel):
    status: Literal["alive"]
    timestamp: datetime


class Ready(BaseModel):
    status: Literal["ready"]
    timestamp: datetime
