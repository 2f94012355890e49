"""Defines the events about agents: registered, heartbeat, status changed, stopped and removed."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from .event import MODEL_CONFIG, EventData

__all__ = [
    "OVER_HTTP",
    "AgentEvent",
    "AgentHeartbeat",
    "AgentRegistered",
    "AgentRemoved",
    "AgentStatusChanged",
    "AgentStopped",
    "HeldTask",
    "LoadMetrics",
    "RunningTask",
    "Status",
]

OVER_HTTP = "http"
"""How an agent was heard that a coordinator speaks for, because it spoke to that one over HTTP."""


MOST_METRICS = 100
"""Of an agent; each list of agents has them all."""

LONGEST_METRIC = 200
"""Characters of a name."""


def _few_and_finite(metrics: Any) -> Any:
    """Without what is no number, which JSON writes as null, and what is too much: an agent is alive whatever
    it measures. What is neither is left to be told as wrong.
    """
    if not isinstance(metrics, dict):
        return metrics
    kept: dict[Any, Any] = {}
    numbers = 0
    for name, value in metrics.items():
        finite = _is_finite(value)
        numbers += finite is True
        if finite is None or (finite and numbers <= MOST_METRICS and len(name) <= LONGEST_METRIC):
            kept[name] = value
    return kept


def _is_finite(value: Any) -> bool | None:
    """None for what is neither a number nor nothing."""
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return None


Status = Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True)]
"""In any letter case, as over HTTP: Java's names of such words are in capitals."""

LoadMetrics = Annotated[dict[str, float], BeforeValidator(_few_and_finite)]


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
    registered_by: str | None = None
    """Who registered it over HTTP, where the API asks for credentials: `key:<name>` or `jwt:<subject>`."""


class RunningTask(BaseModel):
    """A task in an agent's hands, as its heartbeat tells."""

    model_config = MODEL_CONFIG
    task_id: str
    generation: int = 1
    attempt: int = 1
    started_at: datetime | None = None
    fraction: float | None = None
    message: str | None = None
    task_token: str | None = Field(default=None, repr=False)
    """Of the task's message. Where identity is required, it proves that the agent has the task."""
    crashes: int | None = None
    """How many of ``attempt`` are agents that were lost with the message, as in the events of the task."""


class HeldTask(BaseModel):
    """A task in an agent's hands that does not run."""

    model_config = MODEL_CONFIG
    task_id: str
    generation: int = 1
    attempt: int = 1
    task_token: str | None = Field(default=None, repr=False)
    """As of a running task."""
    crashes: int | None = None


class AgentHeartbeat(AgentEvent):
    """An agent's whole state, every few seconds. Not durable: the next one replaces it."""

    TYPE = "agent.heartbeat"
    instance: str | None = None
    sequence: int = Field(default=0, ge=0)
    status: Status | None = None
    """What the agent says of itself: `active`, `draining`, `degraded`."""
    problems: list[str] | None = None
    """What somebody should put right, a sentence each."""
    unreadable: list[str] | None = None
    """Queues that it is offered and that its user on the broker may not read."""
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
