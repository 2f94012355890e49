"""Finds the agents that may do a task, by its requirements, and says why one does not take it now."""

from __future__ import annotations

from dataclasses import replace

from coordinator.domain.ineligibility_reasons import may_not_read, not_now
from coordinator.protocol.requirements import ANY_TYPE, Requirements
from coordinator.registry.agents.in_memory.known_agent import KnownAgent, profile_of
from coordinator.registry.agents.in_memory.live_agents import LiveAgents

__all__ = ["AbleAgents"]


class AbleAgents:
    """Asks the agents in memory."""

    def __init__(self, agents: LiveAgents) -> None:
        self._agents = agents

    def find(self, wanted: Requirements, *, any_type: bool = False) -> list[KnownAgent]:
        """Those that have all of it, by id; with ``any_type``, whatever types of tasks they do."""
        if wanted.agent_id is not None:
            known = self._agents.get(wanted.agent_id)
            return [known] if known is not None and _suits(known, wanted, any_type) else []
        return self._agents.find(
            agent_type=wanted.agent_type,
            capabilities=wanted.capabilities,
            services=wanted.services,
            task_type=None if any_type else wanted.task_type or ANY_TYPE,
        )

    def why_not_now(self, known: KnownAgent, queue: str | None = None) -> list[str]:
        """Sentences' ends; empty for one that would start a task that it may do, and that is on ``queue``."""
        why = not_now(
            self._agents.status(known),
            on_broker=self._agents.on_broker(known),
            slots=known.slots,
            running=known.running,
        )
        found = [] if why is None else [why]
        if queue is not None and not known.may_read(queue):
            found.append(may_not_read(queue))
        return found


def _suits(known: KnownAgent, wanted: Requirements, any_type: bool) -> bool:
    profile = profile_of(known.agent.registration)
    return (replace(profile, task_types=None) if any_type else profile).satisfies(wanted)
