"""What records look like in answers, field by field as the contract has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from coordinator.domain.task import Task
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.queries.queue_sizes import TaskQueueDepth
from coordinator.registry.queries.queue_statistics import QueueFigures
from coordinator.registry.queries.service_statistics import Statistics
from coordinator.registry.queries.task_view import TaskView

from .json_answers import iso

__all__ = [
    "STRATEGY",
    "agent_shape",
    "dead_shape",
    "priority_shape",
    "queue_shape",
    "task_shape",
    "totals_shape",
]

STRATEGY = "least_connections"
"""What late binding is: the next task goes to an agent with a free slot."""


def agent_shape(agent: AgentView) -> dict[str, Any]:
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
    }


def task_shape(task: TaskView) -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "state": task.state,
        "priority": task.priority.value,
        "requirements": task.requirements,
        "lane": task.lane,
        "task_data": task.task_data,
        "metadata": task.metadata,
        "generation": task.generation,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "submitted_at": iso(task.submitted_at),
        "not_before": _maybe(task.not_before),
        "expires_at": _maybe(task.expires_at),
        "started_at": _maybe(task.started_at),
        "ended_at": _maybe(task.ended_at),
        "agent_id": task.agent_id,
        "progress": task.progress,
        "result": task.result,
        "error": task.error,
    }


def dead_shape(task: Task) -> dict[str, Any]:
    """A dead task in a list: all but its content."""
    return {
        "task_id": task.task_id,
        "task_type": task.task_type,
        "priority": task.priority,
        "lane": task.lane,
        "generation": task.generation,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "submitted_at": _maybe(task.submitted_at),
        "ended_at": _maybe(task.ended_at),
        "agent_id": task.agent_id,
        "error": task.error,
    }


def totals_shape(totals: Statistics, queue_sizes: dict[str, int]) -> dict[str, Any]:
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


def queue_shape(found: TaskQueueDepth, line: QueueFigures | None) -> dict[str, Any]:
    """``line`` is None for a queue that was opened just now."""
    return {
        "queue": found.source.queue,
        "lane": found.source.lane,
        "priority": found.source.priority.value,
        "requirements": found.requirements.as_dict(),
        "exists": found.depth is not None,
        "ready": found.ready,
        "oldest_waiting_seconds": None if line is None else _seconds(line.oldest),
        "listening": 0 if line is None else line.listening,
        "consumers": found.consumers,
    }


def priority_shape(
    depths: Iterable[TaskQueueDepth], lines: Mapping[TaskQueue, QueueFigures], priority: Priority
) -> dict[str, Any]:
    """The totals of one priority over its queues."""
    ours = [found for found in depths if found.source.priority is priority]
    ages = (line.oldest for source, line in lines.items() if source.priority is priority)
    return {
        "queues": len(ours),
        "ready": sum(found.ready for found in ours),
        "oldest_waiting_seconds": _seconds(
            max((age for age in ages if age is not None), default=None)
        ),
        "consumers": sum(found.consumers for found in ours),
    }


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else round(duration.total_seconds(), 3)


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)
