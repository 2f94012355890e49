"""Explains in words why an agent may not do a task, or does not start it now. Pure."""

from __future__ import annotations

from coordinator.protocol.requirements import Profile, Requirements

from .agent_statuses import AgentStatus

__all__ = ["NOT_ON_THE_BROKER", "TAKES_WORK", "lacks", "may_not_read", "not_now"]

TAKES_WORK = frozenset({AgentStatus.ACTIVE, AgentStatus.BUSY, AgentStatus.DEGRADED})
"""An agent with one of these may start a task, now or when a slot is free, if it is on the broker."""

_NOT_NOW = {
    AgentStatus.INACTIVE: "it has said goodbye",
    AgentStatus.STALE: "it has not been heard of for longer than it should (stale)",
    AgentStatus.MAINTENANCE: "it is in maintenance",
    AgentStatus.ERROR: "it is declared to be in error",
    AgentStatus.DRAINING: "it is draining: it finishes what it has and takes nothing more",
}


def lacks(profile: Profile, wanted: Requirements, task_type: str | None) -> list[str]:
    """What of ``wanted`` this agent does not have, a sentence's end each; empty where it has all.

    ``task_type`` is that of the task, announced or not.
    """
    found: list[str] = []
    if not profile.does(wanted.task_type):
        kind = "without a task_type" if task_type is None else f"of the type {task_type!r}"
        found.append(f"it has no handler for tasks {kind}")
    if wanted.agent_id not in (None, profile.agent_id):
        found.append(f"the task is for the agent {wanted.agent_id!r} alone")
    if wanted.agent_type not in (None, profile.agent_type):
        found.append(f"its type is {profile.agent_type!r}, not {wanted.agent_type!r}")
    found += (
        f"it lacks the capability {name!r}"
        for name in wanted.capabilities
        if name not in profile.capabilities
    )
    found += (
        f"it lacks the service {name!r}" for name in wanted.services if name not in profile.services
    )
    return found


NOT_ON_THE_BROKER = (
    "it has no control queue on the broker, so that it takes no tasks: how to listen is in"
    " docs/guides/agents-in-other-languages.md"
)
"""Of an agent that speaks HTTP alone."""


def not_now(status: AgentStatus, *, on_broker: bool, slots: int | None, running: int) -> str | None:
    """Why an agent that has all that is asked for does not start a task at this moment; None where
    nothing keeps it from it. ``on_broker`` is whether it has a control queue.
    """
    if status not in TAKES_WORK:
        return _NOT_NOW[status]
    if not on_broker:
        return NOT_ON_THE_BROKER
    if slots is not None and running >= slots:
        return f"it has no free slot: {running} of {slots} in use"
    return None


def may_not_read(queue: str) -> str:
    """Of an agent that has all that is asked for, and whose user on the broker lacks the permission for the
    queue of the task.
    """
    return (
        f"its user on the broker may not read {queue}: an administrator grants it, with `coordinator agents"
        " add` or the broker's own tools"
    )
