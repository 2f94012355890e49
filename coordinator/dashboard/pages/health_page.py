"""Collects how the service is: its problems, what the figures say besides, and what the doctor finds."""

from __future__ import annotations

import asyncio

from coordinator.client import AsyncClient, Findings, NotFound
from coordinator.dashboard.viewer import Page, Viewer

from .unserved_queues import unserved_queues
from .untold_things import UntoldThings

__all__ = ["health_report"]

_NOT_EXAMINED = "not_found"
"""The code of a service that knows the question, and whose process examines nothing."""


async def health_report(viewer: Viewer) -> Page:
    """Shown anew each two seconds."""
    client, untold = viewer.client, UntoldThings()
    health, stats = await asyncio.gather(client.health(), client.queue_stats())
    operates = viewer.has("operator", "admin")
    parked = examined = None
    if operates:
        parked = await untold.told(client.parked(limit=1), "which messages are parked")
        examined = await untold.told(_examined(client), "what the doctor finds")
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
        untold=untold.sentence,
    )


async def _examined(client: AsyncClient) -> Findings | None:
    """None where nothing examines the service."""
    try:
        return await client.findings()
    except NotFound as exc:
        if exc.code == _NOT_EXAMINED:
            return None
        raise
