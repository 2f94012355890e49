"""Folds events into an agent: its registration and its declared status, which are durable. Pure.

The order of the log decides, and each event is applied once: no clock orders anything. What was said
of one process of an agent (a drain, a goodbye, an error) does not concern the next one, whatever the
time at which it was stated; see docs/decisions/0015.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from coordinator.protocol.messages.events import (
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    Event,
    EventData,
)

from .agent_statuses import AgentStatus

__all__ = ["OF_THE_AGENT", "Agent", "fold_agent", "may_be_one"]

OF_THE_AGENT = frozenset({AgentStatus.ACTIVE, AgentStatus.MAINTENANCE})
"""Statuses that are declared of the agent, whichever process it is; all others are of one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A registration, and the status that was declared since."""

    registration: AgentRegistered
    stated_at: datetime
    """When the registration was stated, to be shown."""
    registered_at: datetime
    """When the first one was, since the agent was last removed; to be shown."""
    declared: AgentStatus = AgentStatus.ACTIVE
    statement: str
    """The id of the event that made it what it is: who knows the same one knows the same."""


def fold_agent(agent: Agent | None, event: Event) -> Agent | None:
    """Apply a durable event about an agent; None is an agent that is not registered. An event that
    changes nothing returns ``agent`` itself.

    The caller applies each event once: what has the same id is dropped before it comes here.
    """
    data = event.data
    if isinstance(data, AgentRegistered):
        return _registered(agent, data, event)
    if agent is None:
        return None
    if isinstance(data, AgentRemoved):
        return None if may_be_one(data.instance, agent.registration.instance) else agent
    status = _status_said(agent, data)
    return agent if status is None else replace(agent, declared=status, statement=event.id)


def may_be_one(instance: str | None, other: str | None) -> bool:
    """Whether two statements may be of the same process: not every agent says which one it is."""
    return instance is None or other is None or instance == other


def _status_said(agent: Agent, data: EventData) -> AgentStatus | None:
    """None for a word of a newer version, or about a process whose place is taken."""
    if not isinstance(data, AgentStopped | AgentStatusChanged):
        return None
    if not may_be_one(data.instance, agent.registration.instance):
        return None
    if isinstance(data, AgentStopped):
        return AgentStatus.INACTIVE
    return AgentStatus(data.status) if data.status in _STATUSES else None


def _registered(agent: Agent | None, data: AgentRegistered, event: Event) -> Agent:
    if agent is None:
        return Agent(
            registration=data,
            stated_at=event.time,
            registered_at=event.time,
            statement=event.id,
        )
    declared = agent.declared if _keeps_status(agent, data) else AgentStatus.ACTIVE
    return replace(
        agent, registration=data, stated_at=event.time, declared=declared, statement=event.id
    )


def _keeps_status(agent: Agent, data: AgentRegistered) -> bool:
    """The same process that registers again changes nothing, unless it had said goodbye; a new one
    starts afresh, but that maintenance lasts until somebody ends it.
    """
    if agent.declared is AgentStatus.MAINTENANCE:
        return True
    same = data.instance is not None and data.instance == agent.registration.instance
    return same and agent.declared is not AgentStatus.INACTIVE


_STATUSES = frozenset(status.value for status in AgentStatus)
