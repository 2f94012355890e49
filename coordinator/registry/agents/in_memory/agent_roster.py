"""Holds every known agent by its id, and keeps index, silence and control queues in step with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from coordinator.domain.agent import Agent
from coordinator.domain.agent_status_rules import merged_status
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.ineligibility_reasons import TAKES_WORK

from .agent_index import AgentIndex
from .agent_silence import AgentSilence
from .control_queues import ControlQueues
from .known_agent import KnownAgent

__all__ = ["AgentRoster"]


class AgentRoster:
    """Every change goes through here, so that the index never disagrees with the agents.

    `silence` measures how long each was not heard, `index` finds agents by what they have, and
    `control_queues` knows which of them are on the broker.
    """

    def __init__(
        self,
        *,
        stale_after: timedelta,
        monotonic: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        """``monotonic`` tells seconds, from any start; ``now`` is the wall clock, aware."""
        self._now = now
        self._agents: dict[str, KnownAgent] = {}
        self._restored: dict[str, timedelta] = {}
        """How long these had been silent, until `settle_restored`."""
        self.index = AgentIndex()
        self.silence = AgentSilence(stale_after=stale_after, monotonic=monotonic)
        self.control_queues = ControlQueues()

    def __len__(self) -> int:
        return len(self._agents)

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self._agents

    def get(self, agent_id: str) -> KnownAgent | None:
        """None for one that is not known."""
        return self._agents.get(agent_id)

    def of(self, agent_ids: Iterable[str]) -> list[KnownAgent]:
        """In the same order. Raises `KeyError`."""
        return [self._agents[agent_id] for agent_id in agent_ids]

    def all(self) -> Iterable[KnownAgent]:
        """Every agent, in no order. Nothing may be added or dropped meanwhile."""
        return self._agents.values()

    # --- changes ------------------------------------------------------------------------------

    def meet(self, agent: Agent) -> KnownAgent:
        """Add an agent that was just heard of for the first time."""
        known = KnownAgent(agent=agent, heard_at=self._now())
        self._add(known)
        return known

    def restore(self, known: KnownAgent, silence: timedelta) -> None:
        """Add one that had been silent for so long; `settle_restored` follows the last of them."""
        self._restored[known.agent_id] = silence
        self._add(known)

    def settle_restored(self) -> None:
        """Put those that were restored, and not heard since, among those that were heard."""
        if not self._restored:
            return
        self.silence.restore(self._restored)
        for agent_id in self._restored:
            self.restate(self._agents[agent_id])
        self._restored.clear()
        self.mark_stale()

    def replace(self, known: KnownAgent, agent: Agent) -> None:
        """What is durable of it is so now; `restate` is the caller's to call."""
        if agent.registration is not known.agent.registration:
            self.index.discard(known.agent.registration)
            self.index.add(agent.registration)
            self.control_queues.sign(known.agent_id, via=agent.registration.via)
        known.agent = agent

    def drop(self, known: KnownAgent | None) -> None:
        """Forget an agent, if there is one."""
        if known is not None:
            self.index.discard(known.agent.registration)
            del self._agents[known.agent_id]
            self._restored.pop(known.agent_id, None)
            self.silence.forget(known.agent_id)
            self.control_queues.forget(known.agent_id)

    def hear(self, known: KnownAgent) -> None:
        """It gave a sign of life at this moment."""
        known.heard_at = self._now()
        known.changed = True
        self._restored.pop(known.agent_id, None)
        self.silence.hear(known.agent_id)

    def restate(self, known: KnownAgent) -> None:
        """Index it by its status and load as they are now."""
        status = self.status(known)
        self.index.set_status(known.agent_id, status, known.running)
        self.index.set_listening(known.agent_id, listening=self.listens(known, status))

    def mark_stale(self) -> None:
        """Index those as stale that have fallen silent without a goodbye. Cheap: to be called more often than
        every five seconds, see `domain.hearing_clock.LONGEST_STEP`.
        """
        for agent_id in self.silence.newly_stale():
            known = self._agents[agent_id]
            self.index.set_status(agent_id, self.status_after(known, timedelta.max), known.running)
            self.index.set_listening(agent_id, listening=False)

    def _add(self, known: KnownAgent) -> None:
        self._agents[known.agent_id] = known
        self.silence.hear(known.agent_id)
        self.index.add(known.agent.registration)
        self.control_queues.meet(known.agent.registration, known.heartbeat)

    # --- status -------------------------------------------------------------------------------

    def status(self, known: KnownAgent) -> AgentStatus:
        """Merged of what was declared, its silence and its load."""
        return self.status_after(known, self.silence.of(known.agent_id))

    def status_after(self, known: KnownAgent, silence: timedelta) -> AgentStatus:
        """Its status where it has been silent for so long."""
        return merged_status(
            silence=silence,
            stale_after=self.silence.stale_after,
            declared=known.declared,
            slots=known.slots,
            running=known.running,
        )

    def listens(self, known: KnownAgent, status: AgentStatus) -> bool:
        """Whether an agent of this status takes tasks from the broker, now or when a slot is free."""
        return status in TAKES_WORK and known.agent_id in self.control_queues
