"""Finds and counts agents by what they have, by their status and by the tasks in their hands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from coordinator.domain.agent_statuses import AgentStatus

from .agent_filter import AgentFilter
from .agent_roster import AgentRoster
from .known_agent import KnownAgent

__all__ = ["AgentSearch"]


class AgentSearch:
    """Looks into the index, which is brought up to date with the clock before each answer."""

    def __init__(self, roster: AgentRoster) -> None:
        self._roster = roster
        self._index = roster.index

    def find(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        task_type: str | None = None,
    ) -> list[KnownAgent]:
        """Every agent that has all of it, by id; see `AgentFilter.task_type`."""
        self._roster.mark_stale()
        found = self._index.find(
            status=status,
            agent_type=agent_type,
            capabilities=capabilities,
            services=services,
            task_type=task_type,
        )
        return self._roster.of(sorted(found))

    def page(
        self, wanted: AgentFilter, *, after: str | None, limit: int
    ) -> tuple[list[KnownAgent], int, bool]:
        """The first ``limit`` that ``wanted`` admits and whose id comes after ``after``, by id; how
        many it admits in all; and whether more follow.
        """
        self._roster.mark_stale()
        found = self._index.select(wanted)
        ids = self._index.first(found, after=after, count=limit + 1)
        return self._roster.of(ids[:limit]), len(found), len(ids) > limit

    def total(self, wanted: AgentFilter) -> int:
        """How many ``wanted`` admits."""
        self._roster.mark_stale()
        return len(self._index.select(wanted))

    def count(self, status: AgentStatus) -> int:
        """Agents of this status."""
        self._roster.mark_stale()
        return self._index.count(status)

    def mean_load(self) -> float:
        """Running tasks per agent that is active or busy; 0.0 where there is none."""
        self._roster.mark_stale()
        live = (AgentStatus.ACTIVE, AgentStatus.BUSY)
        agents = sum(map(self._index.count, live))
        return sum(map(self._index.load, live)) / agents if agents else 0.0

    def in_hand(self, *, heard_within: timedelta) -> set[tuple[str, int]]:
        """The tasks, with their generations, that agents say they have, running or not yet; of agents
        alone that were heard so lately.
        """
        silence = self._roster.silence
        return {
            (task.task_id, task.generation)
            for known in self._roster.all()
            if known.account is not None and silence.of(known.agent_id) <= heard_within
            for task in (*known.account.running, *(known.account.held or ()))
        }
