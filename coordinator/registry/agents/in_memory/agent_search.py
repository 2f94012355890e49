"""Finds and counts agents by what they have, by their status and by the tasks in their hands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task import TasksInHand
from coordinator.protocol.messages.events import HeldTask, RunningTask

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

    def in_hand(self, *, heard_within: timedelta) -> TasksInHand:
        """The tasks that agents are believed to have, running or not yet; of agents alone that were heard so
        lately.
        """
        found: dict[tuple[str, int], int] = {}
        for known in self._heard(heard_within):
            for key, attempt in known.in_hand.items():
                found[key] = max(attempt, found.get(key, 0))
        return found

    def claimed(self, *, heard_within: timedelta) -> Mapping[tuple[str, int], Collection[str]]:
        """Those that agents name without being believed, each with these agents."""
        found: dict[tuple[str, int], set[str]] = {}
        for known in self._heard(heard_within):
            for task in named_by(known):
                key = task.task_id, task.generation
                if key not in known.in_hand:
                    found.setdefault(key, set()).add(known.agent_id)
        return found

    def _heard(self, within: timedelta) -> Iterable[KnownAgent]:
        silence = self._roster.silence
        return (
            known
            for known in self._roster.all()
            if known.account is not None and silence.of(known.agent_id) <= within
        )


def named_by(known: KnownAgent) -> Iterable[RunningTask | HeldTask]:
    """What it said last that it has in hand."""
    account = known.account
    return () if account is None else (*account.running, *(account.held or ()))
