"""Collects the overview: depths, waits, agents, dead tasks, problems, and totals for the curves."""

from __future__ import annotations

import asyncio
from collections import Counter

from coordinator.client import Agent, AsyncClient
from coordinator.dashboard.viewer import Page, Viewer

from .unserved_queues import unserved_queues
from .untold_things import UntoldThings

__all__ = ["overview"]

MOST_AGENTS = 200
"""Agents whose statuses are counted; of larger fleets the page says how many it has left out."""


MOST_FINDINGS = 3
"""The page on health has all of them."""


async def overview(viewer: Viewer) -> Page:
    """Everything at a glance. Shown anew each second: the figures of the broker are no events."""
    client = viewer.client
    untold = UntoldThings()
    stats, counted, dead, health = await asyncio.gather(
        client.queue_stats(),
        untold.told(_agents(client), "which agents there are"),
        untold.told(client.dead(limit=1), "which tasks are dead"),
        client.health(),
    )
    agents, fleet = counted or ((), None)
    totals = stats.distribution_stats
    load = totals.load_balancer_stats
    statuses = Counter(agent.status for agent in agents)
    return Page(
        template="overview",
        title="Overview",
        values={
            "health": health,
            "findings": unserved_queues(stats)[:MOST_FINDINGS],
            "ready": sum(stats.queue_sizes.values()),
            "deepest": max(stats.queue_sizes.values(), default=0),
            "priorities": stats.priorities,
            "oldest": max(
                (one.oldest_waiting_seconds or 0.0 for one in stats.priorities.values()),
                default=0.0,
            ),
            "running": round(load.avg_agent_load * load.active_agents),
            "totals": totals,
            "load": load,
            "statuses": sorted(statuses.items()),
            "fleet": fleet,
            "left_out": max(0, (fleet or 0) - len(agents)),
            "dead": dead,
        },
        every=1.0,
        untold=untold.sentence,
    )


async def _agents(client: AsyncClient) -> tuple[list[Agent], int]:
    page = await client.agents(limit=MOST_AGENTS)
    return list(page.items), page.total if page.total is not None else len(page.items)
