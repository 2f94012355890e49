"""Reads filters, statuses and heartbeats of agents, and writes agents as they are known."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat

from coordinator.api.wire.fields.answer_fields import (
    AgentId,
    AgentStatusName,
    AnswerModel,
    Instant,
    Success,
    UnknownKeysWarning,
)
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.registry.agents.in_memory.agent_view import AgentView

from .fields.body_configs import ignoring_unknown_keys
from .fields.instants import iso
from .fields.lenient_json import LIST, NO_BOOLEAN, WITHOUT_NULLS, Finite

__all__ = [
    "AgentAnswer",
    "AgentRemovedAnswer",
    "AgentShape",
    "DiscoverAgents",
    "Discovered",
    "DrainAnswer",
    "Heartbeat",
    "HeartbeatAnswer",
    "StatusUpdated",
    "UpdateStatus",
    "agent_shape",
]

_STATUSES = f"One of: {', '.join(AgentStatus)}."

StatusWord = Annotated[str, Field(json_schema_extra={"enum": [*AgentStatus]})]
"""Checked where it is read, with a sentence."""

LoadMetrics = Annotated[dict[str, Finite] | None, WITHOUT_NULLS]


class DiscoverAgents(BaseModel):
    """All filters must match; a filter that is not given matches every agent."""

    model_config = ignoring_unknown_keys(status="active", agent_type="worker")

    status: str | None = Field(default=None, description=_STATUSES)
    agent_type: str | None = None
    capabilities: Annotated[list[str] | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    services: Annotated[list[str] | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    tags: Annotated[list[str] | None, LIST] = Field(
        default=None, description="All of them are needed."
    )
    min_health_score: Annotated[FiniteFloat, Field(ge=0, le=1), NO_BOOLEAN] | None = Field(
        default=None, description="A health score below this does not match: 0 to 1."
    )
    limit: Annotated[int, Field(ge=1), NO_BOOLEAN] | None = Field(
        default=None, description="At most so many, those with the best health."
    )


class UpdateStatus(BaseModel):
    """Declares an agent's status."""

    model_config = ignoring_unknown_keys(
        status="busy", load_metrics={"active_connections": 5, "pending_tasks": 2}
    )

    status: StatusWord = Field(description=_STATUSES)
    load_metrics: LoadMetrics = Field(
        default=None, description="Such as active_connections, pending_tasks, cpu_usage."
    )


class Heartbeat(BaseModel):
    """A sign of life of an agent that speaks HTTP."""

    model_config = ignoring_unknown_keys(status="active", load_metrics={"cpu_usage": 0.25})

    status: StatusWord | None = Field(default=None, description="What the agent says of itself.")
    load_metrics: LoadMetrics = None


class AgentShape(AnswerModel):
    agent_id: AgentId
    agent_type: str = Field(examples=["worker"])
    status: AgentStatusName
    listening: bool = Field(
        description="Whether it takes tasks, now or when a slot is free: its status lets it, and it has"
        " a control queue on the broker. Who speaks HTTP alone has none."
    )
    capabilities: list[str] = Field(examples=[["data-processing", "analysis"]])
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
    slots: int | None = Field(
        examples=[4], description="How many tasks it does at once; null where it does not say."
    )
    free_slots: int | None = Field(
        ge=0,
        examples=[3],
        description="How many of them are free, as of its last heartbeat: those of handlers that were given"
        " up and go on are not. null where it does not say what it runs, as one that speaks HTTP alone.",
    )
    running_tasks: list[str] | None = Field(
        examples=[["task-7"]],
        description="Ids of the tasks that it runs, as of its last heartbeat; null where it does not say.",
    )


class Discovered(AnswerModel):
    status: Success
    query: dict[str, Any] = Field(
        description="The filters that were given.",
        examples=[{"status": "active", "agent_type": "worker"}],
    )
    agents: list[AgentShape] = Field(description="The best health first, then by id.")
    count: int = Field(description="How many are in the answer.", examples=[1])
    total: int | None = Field(
        default=None,
        description="How many match, where `limit`, or the 4 MiB of an answer, left some of them out.",
    )
    warning: UnknownKeysWarning
    timestamp: Instant


class AgentAnswer(AnswerModel):
    status: Success
    agent: AgentShape
    timestamp: Instant


class StatusUpdated(AnswerModel):
    status: Success
    message: str = Field(examples=["Agent hermes-agent status updated"])
    agent_id: AgentId
    new_status: AgentStatusName
    updated_at: Instant
    warning: UnknownKeysWarning


class HeartbeatAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Heartbeat received from hermes-agent"])
    agent_id: AgentId
    heartbeat_at: Instant
    warning: UnknownKeysWarning


class DrainAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Agent hermes-agent is draining"])
    agent_id: AgentId
    told: bool = Field(description="Whether it has a connection to the broker to be told over.")
    drained_at: Instant


class AgentRemovedAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Agent hermes-agent removed"])
    agent_id: AgentId
    timestamp: Instant


def agent_shape(agent: AgentView) -> dict[str, Any]:
    """An agent as `AgentShape` describes it."""
    return {
        "agent_id": agent.agent_id,
        "agent_type": agent.agent_type,
        "status": agent.status,
        "listening": agent.listening,
        "capabilities": agent.capabilities,
        "services": agent.services,
        "task_types": agent.task_types,
        "endpoints": agent.endpoints,
        "metadata": agent.metadata,
        "last_heartbeat": iso(agent.last_heartbeat),
        "registration_time": iso(agent.registration_time),
        "load_metrics": agent.load_metrics,
        "health_score": agent.health_score,
        "version": agent.version,
        "tags": agent.tags,
        "slots": agent.slots,
        "free_slots": agent.free_slots,
        "running_tasks": agent.running,
    }
