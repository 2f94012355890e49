"""Describes queues, and the statistics of all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "Cleared",
    "LaneRetired",
    "LoadStats",
    "PriorityTotals",
    "Queue",
    "QueueStats",
    "Statistics",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Is a lane at a priority."""

    queue: str
    lane: str
    priority: str
    requirements: Mapping[str, Any] = field(default_factory=dict)
    exists: bool = True
    ready: int = 0
    """Tasks that wait."""
    oldest_waiting_seconds: float | None = None
    listening: int = 0
    """Agents that take its tasks."""
    consumers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityTotals:
    """Sums up the queues of one priority."""

    queues: int = 0
    ready: int = 0
    oldest_waiting_seconds: float | None = None
    consumers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadStats:
    """Tells how the fleet is loaded."""

    strategy: str = ""
    total_assignments: int = 0
    """Attempts started."""
    successful_assignments: int = 0
    failed_assignments: int = 0
    success_rate: float = 0.0
    active_agents: int = 0
    listening_agents: int = 0
    avg_agent_load: float = 0.0
    """Running tasks per live agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Sums up all tasks."""

    tasks_distributed: int = 0
    tasks_completed: int = 0
    tasks_failed: int = 0
    avg_distribution_time: float = 0.0
    """Mean seconds from acceptance to start."""
    load_balancer_stats: LoadStats = field(default_factory=LoadStats)
    queue_sizes: Mapping[str, int] = field(default_factory=dict)
    """Tasks that wait, by priority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueStats:
    """Tells of every queue."""

    queue_sizes: Mapping[str, int] = field(default_factory=dict)
    priorities: Mapping[str, PriorityTotals] = field(default_factory=dict)
    queues: Sequence[Queue] = ()
    left_out: int | None = None
    """Queues that were too many for one answer."""
    distribution_stats: Statistics = field(default_factory=Statistics)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """The tasks that waited at a priority are cancelled."""

    priority: str
    cleared_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneRetired:
    """The queues of a lane are given up."""

    lane: str
    queues: Sequence[str] = ()
