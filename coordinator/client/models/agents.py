"""Describes agents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

__all__ = ["Agent", "Drained", "StatusDeclared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Is an agent as the service knows it."""

    agent_id: str
    agent_type: str
    status: str
    listening: bool = True
    """Whether it takes tasks from the broker."""
    capabilities: Sequence[str] = ()
    services: Sequence[str] = ()
    task_types: Sequence[str] | None = None
    """That it has handlers for; None where it does not say."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    last_heartbeat: datetime | None = None
    registration_time: datetime | None = None
    load_metrics: Mapping[str, float] = field(default_factory=dict)
    health_score: float = 1.0
    version: str | None = None
    tags: Sequence[str] = ()
    slots: int | None = None
    """How many tasks it does at once; None where it does not say."""
    free_slots: int | None = None
    """Of those, as of its last heartbeat; None where it does not say what it runs."""
    running_tasks: Sequence[str] | None = None
    """Ids of the tasks that it runs, as of its last heartbeat; None where it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """The agent is draining."""

    agent_id: str
    told: bool
    """Whether it has a connection to the broker to be told over."""
    drained_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDeclared:
    """The agent has this status from now on."""

    agent_id: str
    new_status: str
    updated_at: datetime | None = None
