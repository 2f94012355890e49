"""Tells what agents' heartbeats say of tasks that they do not name: the witnesses of a lost attempt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from coordinator.domain.lost_attempt_rule import Witness
from coordinator.domain.task import TasksInHand

from .in_memory.live_agents import LiveAgents

__all__ = ["HeartbeatWitnesses"]


class HeartbeatWitnesses:
    """Asks the agents in memory. Every ``heard_within`` is how lately an agent must have been heard."""

    def __init__(self, agents: LiveAgents) -> None:
        self._agents = agents

    @property
    def seconds_heard(self) -> float:
        """Seconds for which this process has heard agents: the clock of all that follows."""
        return self._agents.seconds_heard

    def named(self, *, heard_within: timedelta) -> TasksInHand:
        """The tasks that agents which were heard lately are believed to have."""
        return self._agents.in_hand(heard_within=heard_within)

    def claimed(self, *, heard_within: timedelta) -> Mapping[tuple[str, int], Collection[str]]:
        """By a task's id and generation, the agents heard lately that name it without being believed."""
        return self._agents.claimed(heard_within=heard_within)

    def of(self, agent_ids: Iterable[str], *, heard_within: timedelta) -> list[Witness]:
        """What each of these agents says of an attempt that it started and does not name."""
        return [self._of(agent_id, heard_within) for agent_id in agent_ids]

    def _of(self, agent_id: str, heard_within: timedelta) -> Witness:
        known = self._agents.get(agent_id)
        if known is None:
            return Witness.SILENT
        names = known.names_tasks
        if self._agents.silence(known) > heard_within:
            return Witness.GONE if names else Witness.SILENT
        if not names or self._agents.is_doubled(known):
            return Witness.NEVER_NAMES
        return Witness.DENIES
