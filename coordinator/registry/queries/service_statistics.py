"""Sums up what the service did and who is there: the figures of `GET /tasks/status`."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task_totals import TaskTotals
from coordinator.registry.agents.in_memory.live_agents import LiveAgents

__all__ = ["Statistics", "statistics_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Holds the figures of `GET /tasks/status`, but for what only the broker knows."""

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


def statistics_of(totals: TaskTotals, agents: LiveAgents) -> Statistics:
    """Of the totals in the ledger and the agents in memory."""
    ended = totals.tasks_completed + totals.assignments_failed
    starts = totals.first_starts
    return Statistics(
        tasks_distributed=totals.tasks_distributed,
        tasks_completed=totals.tasks_completed,
        tasks_failed=totals.tasks_failed,
        avg_distribution_time=totals.first_start_micros / 1e6 / starts if starts else 0.0,
        total_assignments=totals.assignments,
        successful_assignments=totals.tasks_completed,
        failed_assignments=totals.assignments_failed,
        success_rate=totals.tasks_completed / ended if ended else 0.0,
        active_agents=agents.count(AgentStatus.ACTIVE) + agents.count(AgentStatus.BUSY),
        listening_agents=agents.count_listening(),
        agent_weights=agents.weighted,
        avg_agent_load=agents.mean_load(),
    )
