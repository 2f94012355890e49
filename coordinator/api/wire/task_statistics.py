"""Writes the statistics of all tasks."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, Success
from coordinator.registry.queries.service_statistics import Statistics

__all__ = [
    "STRATEGY",
    "LoadBalancerStats",
    "QueueSizesShape",
    "TaskStatusAnswer",
    "TotalsShape",
    "totals_shape",
]


class QueueSizesShape(AnswerModel):
    urgent: int
    critical: int
    high: int
    normal: int
    low: int


class LoadBalancerStats(AnswerModel):
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


class TotalsShape(AnswerModel):
    tasks_distributed: int = Field(description="Tasks confirmed onto their queue.")
    tasks_completed: int
    tasks_failed: int
    avg_distribution_time: float = Field(description="Mean seconds from acceptance to start.")
    load_balancer_stats: LoadBalancerStats
    queue_sizes: QueueSizesShape = Field(description="Tasks that wait, from the broker.")


class TaskStatusAnswer(AnswerModel):
    status: Success
    stats: TotalsShape
    timestamp: Instant


STRATEGY = "least_connections"
"""The name of late binding in the contract: the next task goes to an agent with a free slot."""


def totals_shape(totals: Statistics, queue_sizes: dict[str, int]) -> dict[str, Any]:
    """The totals as `TotalsShape` describes them; ``queue_sizes`` are ready tasks by priority."""
    return {
        "tasks_distributed": totals.tasks_distributed,
        "tasks_completed": totals.tasks_completed,
        "tasks_failed": totals.tasks_failed,
        "avg_distribution_time": totals.avg_distribution_time,
        "load_balancer_stats": {
            "strategy": STRATEGY,
            "total_assignments": totals.total_assignments,
            "successful_assignments": totals.successful_assignments,
            "failed_assignments": totals.failed_assignments,
            "success_rate": totals.success_rate,
            "active_agents": totals.active_agents,
            "listening_agents": totals.listening_agents,
            "agent_weights": totals.agent_weights,
            "avg_agent_load": totals.avg_agent_load,
        },
        "queue_sizes": queue_sizes,
    }
