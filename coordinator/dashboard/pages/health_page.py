"""Collects how the service is: its problems, and what the figures say besides."""

from __future__ import annotations

import asyncio

from coordinator.client import QueueStats
from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["findings", "health_report"]


async def health_report(viewer: Viewer) -> Page:
    """Shown anew each two seconds."""
    client = viewer.client
    health, stats = await asyncio.gather(client.health(), client.queue_stats())
    parked = await client.parked(limit=1) if viewer.has("operator", "admin") else None
    return Page(
        template="health",
        title="Health",
        values={
            "health": health,
            "problems": health.problems or [],
            "findings": findings(stats),
            "parked": parked,
        },
        every=2.0,
    )


def findings(stats: QueueStats) -> list[str]:
    """One sentence for each queue whose tasks nobody can take; none where all is well."""
    return [
        f"{queue.ready} tasks wait in the lane {queue.lane} at priority {queue.priority}, and no agent takes"
        " them: start one that has what they require."
        for queue in stats.queues
        if queue.ready and not queue.listening
    ]
