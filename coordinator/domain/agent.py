"""What is durable about an agent, and how events change it. Pure.

The same events reach a coordinator by up to three ways (its own publish, the live queue, the log),
in different orders, and another coordinator by others. So that all agree, the latest statement of
each kind wins, by the time at which it was stated: the one place where clocks order anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from coordinator.protocol.events import (
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    Event,
    EventData,
)

from .agent_words import AgentStatus

__all__ = ["Agent", "fold_agent", "latest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A registration, and the status that was declared since."""

    registration: AgentRegistered
    stated_at: datetime
    """When the registration was stated."""
    registered_at: datetime
    """When the first one was, since the agent was last removed."""
    declared: AgentStatus = AgentStatus.ACTIVE
    declared_at: datetime


def fold_agent(agent: Agent | None, event: Event) -> Agent | None:
    """Apply a durable event about an agent; None is an agent that is not registered. An event that
    changes nothing returns ``agent`` itself.
    """
    data = event.data
    if isinstance(data, AgentRegistered):
        return _registered(agent, data, event.time)
    if isinstance(data, AgentRemoved):
        return agent if agent is not None and event.time < agent.stated_at else None
    status = None if agent is None else _status_said(agent, data)
    if agent is None or status is None:
        return agent
    return _declared(agent, status, event.time)


def latest(mine: Agent, theirs: Agent) -> Agent:
    """The later statement of each kind; ``mine`` itself where all of them are."""
    if theirs.stated_at > mine.stated_at:
        mine = replace(mine, registration=theirs.registration, stated_at=theirs.stated_at)
    if theirs.declared_at > mine.declared_at:
        mine = replace(mine, declared=theirs.declared, declared_at=theirs.declared_at)
    return mine


def _status_said(agent: Agent, data: EventData) -> AgentStatus | None:
    if isinstance(data, AgentStopped) and data.instance in (None, agent.registration.instance):
        return AgentStatus.INACTIVE
    if isinstance(data, AgentStatusChanged) and data.status in _STATUSES:
        return AgentStatus(data.status)
    return None  # a word of a newer version, or an older process whose place is taken


def _registered(agent: Agent | None, data: AgentRegistered, at: datetime) -> Agent:
    if agent is None:
        return Agent(registration=data, stated_at=at, registered_at=at, declared_at=at)
    if at < agent.stated_at:
        return agent
    again = replace(agent, registration=data, stated_at=at)
    return again if _keeps_status(agent, data) else _declared(again, AgentStatus.ACTIVE, at)


def _keeps_status(agent: Agent, data: AgentRegistered) -> bool:
    """The same process that registers again changes nothing, unless it had said goodbye; a new one
    starts afresh, but that maintenance lasts until somebody ends it.
    """
    if agent.declared is AgentStatus.MAINTENANCE:
        return True
    same = data.instance is not None and data.instance == agent.registration.instance
    return same and agent.declared is not AgentStatus.INACTIVE


def _declared(agent: Agent, status: AgentStatus, at: datetime) -> Agent:
    if at < agent.declared_at:
        return agent
    return replace(agent, declared=status, declared_at=at)


_STATUSES = frozenset(status.value for status in AgentStatus)
