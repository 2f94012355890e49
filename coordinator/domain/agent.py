"""What is durable about an agent, and how events change it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from coordinator.protocol.events import (
    AgentEvent,
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    Event,
)
from coordinator.protocol.requirements import Profile

from .statuses import ACTIVE, INACTIVE, MAINTENANCE

__all__ = ["Agent", "fold_agent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A registration, and the status that was declared since."""

    agent_id: str
    agent_type: str
    capabilities: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    endpoints: Mapping[str, str]
    metadata: Mapping[str, Any]
    version: str
    tags: tuple[str, ...] = ()
    slots: int | None = None
    """As the registration said; a heartbeat may say otherwise."""
    instance: str | None = None
    """The process that registered last."""
    registered_at: datetime
    """Of the first registration, while the agent was not removed since."""
    declared: str = ACTIVE
    """By a person, the API or the agent; kept until another one is declared."""
    stopped: bool = False
    """Whether `instance` said goodbye."""

    @property
    def profile(self) -> Profile:
        return Profile(
            agent_id=self.agent_id,
            agent_type=self.agent_type,
            capabilities=frozenset(self.capabilities),
            services=frozenset(self.services),
        )

    def declared_for(self, instance: str | None, said: str | None) -> str:
        """What counts as declared, when ``instance`` was heard last and ``said`` this of itself.

        A goodbye counts for the process that said it, and somebody's word before the agent's own.
        """
        if self.declared != ACTIVE:
            return self.declared
        if self.stopped and instance in (None, self.instance):
            return INACTIVE
        return said or ACTIVE


def fold_agent(agent: Agent | None, event: Event) -> Agent | None:
    """Apply a durable event about an agent; None is an agent that is not registered."""
    data = event.data
    match data:
        case AgentRegistered():
            return _registered(agent, event, data)
        case AgentRemoved():
            return None
        case AgentStatusChanged() if agent is not None:
            return replace(agent, declared=data.status)
        case AgentStopped() if agent is not None:
            if data.instance not in (None, agent.instance):
                return agent  # an older process; another one is in its place
            return replace(agent, stopped=True)
        case AgentEvent():
            return agent
        case _:
            raise TypeError(f"not an event of an agent: {event.type}")


def _registered(agent: Agent | None, event: Event, data: AgentRegistered) -> Agent:
    return Agent(
        agent_id=data.agent_id,
        agent_type=data.agent_type,
        capabilities=tuple(data.capabilities),
        services=tuple(data.services),
        endpoints=data.endpoints,
        metadata=data.metadata,
        version=data.version,
        tags=tuple(data.tags),
        slots=data.slots,
        instance=data.instance,
        registered_at=event.time if agent is None else agent.registered_at,
        declared=_kept_status(agent, data.instance),
    )


def _kept_status(agent: Agent | None, instance: str | None) -> str:
    """The same process that registers again changes nothing; a new one starts afresh, but that
    maintenance lasts until somebody ends it.
    """
    if agent is None:
        return ACTIVE
    same = instance is not None and instance == agent.instance
    return agent.declared if same or agent.declared == MAINTENANCE else ACTIVE
