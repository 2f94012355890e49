"""Acts on agents and queues: drains and removes agents, clears priorities, retires lanes."""

from __future__ import annotations

from coordinator.dashboard.form_fields import Form
from coordinator.dashboard.viewer import Viewer

__all__ = ["clear", "drain", "remove_agent", "retire_lane"]


async def drain(viewer: Viewer, form: Form) -> str:
    """Has the agent of `agent_id` take nothing more."""
    agent_id = form.needed("agent_id")
    done = await viewer.client.drain(agent_id)
    if not done.told:
        return f"Agent {agent_id} counts as draining; it has no connection to be told over."
    return f"Agent {agent_id} finishes what it has, and stops."


async def remove_agent(viewer: Viewer, form: Form) -> str:
    """Takes it out of the registry."""
    agent_id = form.needed("agent_id")
    await viewer.client.remove_agent(agent_id)
    return f"Agent {agent_id} is removed."


async def clear(viewer: Viewer, form: Form) -> str:
    """Cancels all that waits at `priority`."""
    done = await viewer.client.clear_queue(form.needed("priority"))
    return f"{done.cleared_count} tasks at priority {done.priority} are cancelled."


async def retire_lane(viewer: Viewer, form: Form) -> str:
    """Gives up the queues of `lane`."""
    done = await viewer.client.retire_lane(form.needed("lane"))
    return f"Lane {done.lane} is retired, with {len(done.queues)} queues."
