"""Keeps the open task queues in memory, and finds those that an agent may serve. No I/O."""

from __future__ import annotations

from typing import NamedTuple

from coordinator.protocol.messages.registration import sources_hash
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import ANY_TYPE, Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["TaskQueues", "counts"]

_Traits = tuple[str, frozenset[str], frozenset[str], frozenset[str] | None]
"""All of a profile that matching looks at, but for its id: a fleet has few different ones. Of what an
agent can do, only what some source asks for is in it, since agents may say what nobody else says."""

REMEMBERED_TRAITS = 1000
"""Different traits whose sources are remembered; beyond it, remembering starts anew."""


class _Offer(NamedTuple):
    sources: tuple[TaskQueue, ...]
    hash: str
    """`protocol.messages.registration.sources_hash` of them."""


class TaskQueues:
    """Every open source with its requirements.

    Matching is asked at each heartbeat of each agent, and sources change rarely: what a kind of
    agent may serve is worked out once and remembered until a source comes or goes. The sources of
    one agent alone, of which there may be many, are found by its id and never searched.
    """

    def __init__(self) -> None:
        self._requirements: dict[TaskQueue, Requirements] = {}
        self._openers: dict[TaskQueue, str] = {}
        self._own: dict[str, set[TaskQueue]] = {}
        self._asked: set[str] = set()
        """Capabilities, services and task types that sources asked for, those that are gone included."""
        self._offers: dict[_Traits, _Offer] = {}

    def add(
        self, source: TaskQueue, requirements: Requirements, opened_by: str | None = None
    ) -> bool:
        """Note that ``source`` is open, by a task of the caller ``opened_by`` where that is known; whether it
        was new.
        """
        if source in self._requirements:
            return False
        self._requirements[source] = requirements
        if opened_by is not None:
            self._openers[source] = opened_by
        if requirements.agent_id is None:
            self._asked.update(requirements.capabilities, requirements.services)
            self._asked.add(requirements.task_type or ANY_TYPE)
            self._offers.clear()
        else:
            self._own.setdefault(requirements.agent_id, set()).add(source)
        return True

    def discard(self, source: TaskQueue) -> None:
        """Forget ``source``; nothing happens where it is not known."""
        requirements = self._requirements.pop(source, None)
        self._openers.pop(source, None)
        if requirements is None:
            return
        if requirements.agent_id is None:
            self._offers.clear()
            return
        own = self._own[requirements.agent_id]
        own.discard(source)
        if not own:
            del self._own[requirements.agent_id]

    def __contains__(self, source: TaskQueue) -> bool:
        return source in self._requirements

    def __len__(self) -> int:
        return len(self._requirements)

    def by_lane(self) -> dict[str, Requirements]:
        """The requirements of each lane that is open at any priority."""
        return {source.lane: wanted for source, wanted in self._requirements.items()}

    def has_lane(self, lane: str) -> bool:
        """Whether the lane is open at any priority."""
        return any(TaskQueue(lane, priority) in self._requirements for priority in Priority)

    def opener(self, source: TaskQueue) -> str | None:
        """The caller whose task opened its lane, where that is known."""
        return self._openers.get(source)

    def lanes_opened_by(self, caller: str) -> set[str]:
        """The lanes that are open because of a task of this caller."""
        return {source.lane for source, opener in self._openers.items() if opener == caller}

    def sources(self, priority: Priority | None = None) -> list[TaskQueue]:
        """All of them, or those of one priority; the most urgent first, then by lane."""
        return sorted(
            (
                source
                for source in self._requirements
                if priority is None or source.priority is priority
            ),
            key=_order,
        )

    def requirements(self, source: TaskQueue) -> Requirements:
        """Raises `KeyError` where ``source`` is not open."""
        return self._requirements[source]

    def offered_to(self, profile: Profile) -> list[TaskQueue]:
        """All that this agent may serve, the most urgent first."""
        shared = self._shared_offer(profile).sources
        own = self._own_offer(profile)
        return sorted([*shared, *own], key=_order) if own else list(shared)

    def hash_for(self, profile: Profile) -> str:
        """`protocol.messages.registration.sources_hash` of what this agent is offered."""
        if profile.agent_id in self._own:
            return sources_hash(self.offered_to(profile))
        return self._shared_offer(profile).hash

    def _own_offer(self, profile: Profile) -> list[TaskQueue]:
        return [
            source
            for source in self._own.get(profile.agent_id, ())
            if profile.satisfies(self._requirements[source])
        ]

    def _shared_offer(self, profile: Profile) -> _Offer:
        traits = (
            profile.agent_type,
            profile.capabilities & self._asked,
            profile.services & self._asked,
            None if profile.task_types is None else profile.task_types & self._asked,
        )
        offer = self._offers.get(traits)
        if offer is None:
            if len(self._offers) >= REMEMBERED_TRAITS:
                self._offers.clear()
            found = sorted(
                (
                    source
                    for source, wanted in self._requirements.items()
                    if wanted.agent_id is None and profile.satisfies(wanted)
                ),
                key=_order,
            )
            offer = self._offers[traits] = _Offer(tuple(found), sources_hash(found))
        return offer


def counts(requirements: Requirements) -> bool:
    """Whether the lane of these requirements counts against the cap on lanes."""
    return requirements.agent_id is None and not requirements.empty


def _order(source: TaskQueue) -> tuple[int, str]:
    return source.priority.rank, source.lane
