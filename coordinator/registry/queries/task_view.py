"""What queries are answered with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coordinator.domain.task import ENDED, State
from coordinator.protocol.priority import Priority

__all__ = ["Statistics", "TaskSummary", "TaskView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """How a task stands, without what it holds and what came of it."""

    task_id: str
    state: str
    task_type: str | None
    priority: Priority
    requirements: dict[str, Any]
    lane: str
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: datetime
    expires_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    agent_id: str | None
    progress: dict[str, Any] | None
    """The last that was told: `fraction`, `message` and `at`."""
    error: dict[str, Any] | None
    """Why the last attempt failed or the task was ended: `type`, `message`, `retryable`."""

    @property
    def ended(self) -> bool:
        return State(self.state) in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView(TaskSummary):
    """A task and how it stands."""

    task_data: dict[str, Any]
    metadata: dict[str, Any] | None
    not_before: datetime | None
    """When it goes, or went, on its queue, where it was scheduled."""
    result: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """The figures of `GET /tasks/status`, but for what only the broker knows."""

    tasks_distributed: int
    """Confirmed onto their queue."""
    tasks_completed: int
    tasks_failed: int
    avg_distribution_time: float
    """Mean seconds from acceptance to the first start; 0.0 until one started."""
    total_assignments: int
    """Attempts started."""
    successful_assignments: int
    failed_assignments: int
    success_rate: float
    """Of the attempts that ended; 0.0 until one did."""
    active_agents: int
    """Active or busy now."""
    listening_agents: int
    """Agents that take tasks from the broker, now or when a slot is free."""
    agent_weights: int
    """Agents with a `weight` in their metadata."""
    avg_agent_load: float
    """Mean running tasks of the agents that are active or busy."""
