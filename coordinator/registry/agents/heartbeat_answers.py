"""Answers a heartbeat that shows a difference with the command that mends it.

An agent that is not known here is asked to register again, one that serves other queues than it should is
sent the list, and one that was out of reach when it was to drain is told now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.messages.agent_commands import (
    Command,
    DrainAgent,
    RegisterAgain,
    ServeSources,
)
from coordinator.protocol.messages.events import AgentHeartbeat
from coordinator.protocol.messages.registration import SourceOffer
from coordinator.registry.agents.in_memory.known_agent import profile_of
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.projection.command_sender import CommandSender

__all__ = ["HeartbeatAnswers"]

COMMAND_PAUSE = 3.0
"""Seconds before an agent that differs in the same way is told the same again."""

REMEMBERED_AGENTS = 10_000
"""Agents of which it is known when they were told last; beyond it all may be told again."""


class _Told(NamedTuple):
    command: type[Command]
    sources_hash: str | None
    """Of the beat that it answered: one that has changed since may be answered anew."""
    at: float


class HeartbeatAnswers:
    """Tells each agent the same thing at most once in ``pause`` seconds, in the background."""

    def __init__(
        self,
        *,
        agents: LiveAgents,
        book: TaskQueues,
        commands: CommandSender,
        pause: float = COMMAND_PAUSE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``monotonic`` tells seconds, from any start."""
        self._agents = agents
        self._book = book
        self._commands = commands
        self._pause = pause
        self._monotonic = monotonic
        self._told: dict[str, _Told] = {}

    def answer(self, beat: AgentHeartbeat) -> None:
        """``beat`` was applied to the agents before, and names its instance."""
        command = self._correction(beat)
        if command is None:
            return
        now = self._monotonic()
        last = self._told.get(beat.agent_id)
        told = _Told(type(command), beat.sources_hash, now)
        if last is not None and last[:2] == told[:2] and now - last.at < self._pause:
            return
        if len(self._told) >= REMEMBERED_AGENTS:
            self._told.clear()
        self._told[beat.agent_id] = told
        self._commands.tell(beat.agent_id, command)

    def _correction(self, beat: AgentHeartbeat) -> Command | None:
        known = self._agents.get(beat.agent_id)
        if known is None:
            return RegisterAgain()
        declared = known.agent.declared
        if known.replaced:
            if declared is AgentStatus.INACTIVE:
                # The one that registered last has left, and this one lives on.
                return RegisterAgain()
        elif declared is AgentStatus.DRAINING and beat.status != AgentStatus.DRAINING:
            return DrainAgent()  # it was out of reach when it was told
        if beat.sources_hash is None:
            return None
        profile = profile_of(known.agent.registration)
        if self._book.hash_for(profile) == beat.sources_hash:
            return None
        return ServeSources(
            sources=[
                SourceOffer.of(source, self._book.requirements(source))
                for source in self._book.offered_to(profile)
            ]
        )
