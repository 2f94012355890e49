"""Finds queues with tasks that no agent takes, and says so in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from coordinator.client import Queue, QueueStats
from coordinator.client.models.queues import PriorityTotals

__all__ = ["UnservedLane", "task_filters", "tasks_waiting", "unserved_queues"]

FILTERS = {
    "task_type": "task_type",
    "capabilities": "capability",
    "services": "service",
    "agent_type": "agent_type",
}
"""What a lane requires, and the filter of the tasks for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnservedLane:
    """Is a lane with tasks that wait and no agent that takes them."""

    waiting: int
    sentence: str
    filters: Mapping[str, Any]
    """Of the page of tasks, by which they are found, perhaps with others."""


def unserved_queues(stats: QueueStats) -> list[UnservedLane]:
    """One for each lane whose tasks nobody takes, the most first; none where all is well."""
    waiting: dict[str, int] = {}
    filters: dict[str, Mapping[str, Any]] = {}
    for queue in stats.queues:
        if (number := tasks_waiting(queue)) and not queue.listening:
            waiting[queue.lane] = waiting.get(queue.lane, 0) + number
            filters[queue.lane] = task_filters(queue.requirements or {})
    return [
        UnservedLane(
            waiting=number,
            sentence=f"{number} {'task waits' if number == 1 else 'tasks wait'} in the lane {lane}, and no"
            " agent takes its tasks: start one that has what they require.",
            filters=filters[lane],
        )
        for lane, number in sorted(waiting.items(), key=lambda one: -one[1])
    ]


def tasks_waiting(queue: Queue | PriorityTotals) -> int:
    """Tasks there that are still to be done. The broker counts messages, and one whose task was cancelled
    lies there until an agent takes it: where the ledger knows of no task that waits, all of them are such.
    """
    return 0 if queue.oldest_waiting_seconds is None else queue.ready


def task_filters(requirements: Mapping[str, Any]) -> dict[str, Any]:
    """Filters of tasks that require this."""
    return {
        filter_: requirements[name] for name, filter_ in FILTERS.items() if requirements.get(name)
    }
