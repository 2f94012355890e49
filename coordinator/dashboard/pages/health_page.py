"""Collects how the service is: its problems, what the figures say besides, and what the doctor finds."""

from __future__ import annotations

import asyncio

from coordinator.client import AsyncClient, Findings, NotFound
from coordinator.dashboard.viewer import Page, Viewer

from .unserved_queues import unserved_queues

__all__ = ["health_report"]


async def health_report(viewer: Viewer) -> Page:
    """Shown anew each two seconds."""
    client = viewer.client
    health, stats = await asyncio.gather(client.health(), client.queue_stats())
    operates = viewer.has("operator", "admin")
    parked = await client.parked(limit=1) if operates else None
    examined = await _examined(client) if operates else None
    return Page(
        template="health",
        title="Health",
        values={
            "health": health,
            "problems": health.problems or [],
            "findings": unserved_queues(stats),
            "parked": parked,
            "operates": operates,
            "examined": examined,
        },
        every=2.0,
    )


async def _examined(client: AsyncClient) -> Findings | None:
    """None where nothing examines the service, or it is older than the question."""
    try:
        return await client.findings()
    except NotFound:
        return None
