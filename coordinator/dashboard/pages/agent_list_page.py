"""Collects a page of agents: status and its age, slots, load, what each runs, why one takes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

from coordinator.client import Agent, TaskSummary
from coordinator.client import Page as Found
from coordinator.dashboard.viewer import Page, Viewer

__all__ = ["agent_list", "why_not_listening"]

STATUSES = (
    *("active", "busy", "degraded", "draining", "stale", "maintenance", "error", "inactive"),
)
ON_A_PAGE = 50
MOST_RUNNING = 200
"""Running tasks that are looked at to say what each agent does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskInSlot:
    """Is a task that an agent has in a slot."""

    task_id: str
    task_type: str | None = None
    started_at: datetime | None = None


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
            "runs": {agent.agent_id: runs_now(agent, running) for agent in found.items},
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


def runs_now(agent: Agent, running: Found[TaskSummary]) -> list[TaskInSlot]:
    """What the ledger has; where that is not all of ``running``, what the last heartbeat names, too."""
    found = [
        TaskInSlot(task_id=task.task_id, task_type=task.task_type, started_at=task.started_at)
        for task in running.items
        if task.agent_id == agent.agent_id
    ]
    if running.next_cursor is not None:
        known = {task.task_id for task in found}
        named = agent.running_tasks or ()
        found += [TaskInSlot(task_id=task_id) for task_id in named if task_id not in known]
    return found
