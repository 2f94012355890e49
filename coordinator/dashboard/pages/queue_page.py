"""Collects the queues, by priority and lane, and who serves them."""

from __future__ import annotations

from coordinator.dashboard.viewer import Page, Viewer

from .unserved_queues import task_filters

__all__ = ["queue_list"]

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
            "left_out": len(queues[MOST_QUEUES:]) + (stats.left_out or 0),
        },
        every=1.0,
    )
