"""Collects the queues, by priority and lane, who serves them, and which lanes may be retired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from coordinator.client import Queue
from coordinator.dashboard.viewer import Page, Viewer

from .unserved_queues import task_filters, tasks_waiting

__all__ = ["queue_list", "unserved_lanes"]

OPEN_TO_ALL = "any"
"""The lane that stays, also where no agent is there."""

MOST_QUEUES = 300
"""Rows of the table: those with tasks come first."""


async def queue_list(viewer: Viewer) -> Page:
    """Shown anew each second: depths are the broker's, and no events."""
    stats = await viewer.client.queue_stats()
    queues = sorted(stats.queues, key=lambda queue: (queue.ready == 0, queue.exists is False))
    return Page(
        template="queue_list",
        title="Queues",
        values={
            "priorities": stats.priorities,
            "sizes": stats.queue_sizes,
            "deepest": max(stats.queue_sizes.values(), default=0),
            "queues": queues[:MOST_QUEUES],
            "filters_of": task_filters,
            "tasks_waiting": tasks_waiting,
            "unserved": unserved_lanes(stats.queues),
            "left_out": len(queues[MOST_QUEUES:]) + (stats.left_out or 0),
        },
        every=1.0,
    )


def unserved_lanes(queues: Sequence[Queue]) -> dict[str, int]:
    """The lanes that may be retired and no agent takes tasks of, each with the tasks that wait in it."""
    waiting, served = Counter[str](), {OPEN_TO_ALL}
    for queue in queues:
        waiting[queue.lane] += tasks_waiting(queue)
        if queue.listening:
            served.add(queue.lane)
    return {lane: number for lane, number in waiting.items() if lane not in served}
