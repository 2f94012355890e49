"""Collects a page of agents: status and its age, load, what each runs, and why one takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from coordinator.client import Agent, TaskSummary
from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["agent_list", "why_not_listening"]

STATUSES = (
    *("active", "busy", "degraded", "draining", "stale", "maintenance", "error", "inactive"),
)
ON_A_PAGE = 50
MOST_RUNNING = 200
"""Running tasks that are looked at to say what each agent does."""


async def agent_list(viewer: Viewer) -> Page:
    """Shown anew when an agent comes or goes, and each two seconds for load and ages."""
    client = viewer.client
    found, running = await asyncio.gather(
        client.agents(
            status=viewer.all("status"),
            agent_type=viewer.all("agent_type"),
            capability=viewer.all("capability"),
            service=viewer.all("service"),
            limit=ON_A_PAGE,
            cursor=viewer.text("cursor"),
        ),
        client.tasks(state=["running", "input_required"], limit=MOST_RUNNING),
    )
    names = ("status", "agent_type", "capability", "service")
    return Page(
        template="agent_list",
        title="Agents",
        values={
            "agents": [(agent, why_not_listening(agent)) for agent in found.items],
            "runs": _by_agent(running.items),
            "next_cursor": found.next_cursor,
            "total": found.total,
            "statuses": STATUSES,
            "filters": {name: viewer.all(name) for name in names},
        },
        events=("agent.*",),
        every=2.0,
    )


def why_not_listening(agent: Agent) -> str | None:
    """One sentence; None where it takes tasks."""
    if agent.listening:
        return None
    match agent.status:
        case "draining":
            return "It finishes what it has, takes nothing more, and then stops."
        case "stale":
            return "It was not heard of for too long: look whether its process runs and reaches the broker."
        case "inactive":
            return "It has said goodbye, or was declared inactive: start it again, or declare it active."
        case "maintenance" | "error":
            return f"It was declared to be in {agent.status}: declare it active when it may work again."
    return "It has no connection to the broker, as an agent that speaks HTTP alone."


def _by_agent(tasks: Sequence[TaskSummary]) -> dict[str, list[TaskSummary]]:
    found: dict[str, list[TaskSummary]] = {}
    for task in tasks:
        if task.agent_id is not None:
            found.setdefault(task.agent_id, []).append(task)
    return found
