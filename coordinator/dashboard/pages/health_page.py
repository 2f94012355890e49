"""Collects how the service is: its problems, and what the figures say besides."""

from __future__ import annotations

import asyncio

from coordinator.dashboard.viewer import Page, Viewer

from .unserved_queues import unserved_queues

__all__ = ["health_report"]


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
            "findings": unserved_queues(stats),
            "parked": parked,
        },
        every=2.0,
    )
