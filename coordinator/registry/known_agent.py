"""One agent as a coordinator process knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from coordinator.domain.agent import Agent
from coordinator.domain.agent_words import AgentStatus
from coordinator.protocol.events import AgentHeartbeat

__all__ = ["KnownAgent"]

_STATUSES = frozenset(status.value for status in AgentStatus)


@dataclass(slots=True, kw_only=True)
class KnownAgent:
    """What is durable of it, and what was heard since."""

    agent: Agent
    heard_at: datetime
    """By this coordinator's wall clock, to be shown; silence is measured on another, see
    `silence`."""
    heartbeat: AgentHeartbeat | None = None
    load_metrics: dict[str, float] | None = None
    """The last that were told, by heartbeat or with a status."""
    overtaken: str | None = None
    """The process whose heartbeats those of another one replaced."""
    doubled: float | None = None
    """When two processes were last heard in turn under this id, on the listening clock."""
    changed: bool = True
    """Since the last snapshot."""

    @property
    def agent_id(self) -> str:
        return self.agent.registration.agent_id

    @property
    def slots(self) -> int | None:
        beat = self.heartbeat
        return beat.slots if beat is not None and beat.slots else self.agent.registration.slots

    @property
    def running(self) -> int:
        return 0 if self.heartbeat is None else len(self.heartbeat.running)

    @property
    def declared(self) -> AgentStatus:
        """Somebody's word before the agent's own."""
        said = None if self.heartbeat is None else self.heartbeat.status
        if self.agent.declared is AgentStatus.ACTIVE and said in _STATUSES:
            return AgentStatus(said)
        return self.agent.declared
