"""Writes task queues: their sizes, their statistics, and how many tasks were cleared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, PriorityName, Success
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.queries.queue_sizes import TaskQueueDepth
from coordinator.registry.queries.queue_statistics import QueueFigures

from .task_statistics import QueueSizesShape, TotalsShape

__all__ = [
    "ClearedAnswer",
    "LaneRetiredAnswer",
    "PriorityTotals",
    "QueueShape",
    "QueueSizesAnswer",
    "QueueStatsAnswer",
    "priority_shape",
    "queue_shape",
]


class QueueSizesAnswer(AnswerModel):
    status: Success
    queue_sizes: QueueSizesShape
    timestamp: Instant


_OLDEST = Field(
    description="Since the first of the tasks that wait was submitted; null where none waits.",
    examples=[1.25],
)


class QueueShape(AnswerModel):
    queue: str = Field(
        description="Its name in RabbitMQ's management UI.", examples=["tasks.cap:analysis.normal"]
    )
    lane: str = Field(examples=["cap:analysis"])
    priority: PriorityName
    requirements: dict[str, Any] = Field(examples=[{"capabilities": ["analysis"]}])
    exists: bool = Field(description="False where it was deleted; the next task opens it again.")
    ready: int = Field(
        description="Messages of tasks that wait, as the broker counts them: also of tasks that were"
        " cancelled and that no agent has met since. Where `oldest_waiting_seconds` is null, all are such."
    )
    oldest_waiting_seconds: float | None = _OLDEST
    listening: int = Field(
        description="Agents that may do its tasks and read it, have a control queue on the broker and take"
        " work, now or when a slot is free."
    )
    consumers: int = Field(description="Of the queue itself, as the broker counts them.")


class PriorityTotals(AnswerModel):
    queues: int
    ready: int
    oldest_waiting_seconds: float | None = _OLDEST
    consumers: int


class QueueStatsAnswer(AnswerModel):
    status: Success
    queue_sizes: QueueSizesShape
    priorities: dict[PriorityName, PriorityTotals]
    queues: list[QueueShape]
    left_out: int | None = Field(
        default=None, description="Queues that were too many for one answer.", examples=[None]
    )
    distribution_stats: TotalsShape
    timestamp: Instant


class ClearedAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Cleared 12 tasks from low queue"])
    priority: PriorityName
    cleared_count: int = Field(examples=[12])
    timestamp: Instant


class LaneRetiredAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["Retired lane cap:analysis"])
    lane: str = Field(examples=["cap:analysis"])
    queues: list[str] = Field(
        description="Those that are deleted within a minute.", examples=[["tasks.cap:analysis.low"]]
    )
    timestamp: Instant


def queue_shape(found: TaskQueueDepth, line: QueueFigures | None) -> dict[str, Any]:
    """A queue as `QueueShape` describes it; ``line`` is None for one that was opened just now."""
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
    """The totals of ``priority`` over its queues, as `PriorityTotals` describes them."""
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
