"""Indexes agents by what they have, so that discovery looks at those that match, not at the whole fleet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from heapq import nsmallest
from itertools import islice

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.protocol.messages.events import AgentRegistered

from .agent_filter import AgentFilter
from .ordered_ids import OrderedIds

__all__ = ["AgentIndex"]

_Key = tuple[str, str]
_NOBODY: frozenset[str] = frozenset()
_ALL_TYPES = ""
"""Of agents that have announced no types. No type is named so."""
_LISTENS = {True: ("listening", "yes"), False: ("listening", "no")}


class AgentIndex:
    """Holds the ids of agents by type, capability, service and status, and the sums that statistics tell."""

    def __init__(self) -> None:
        self._ids: dict[_Key, set[str]] = {}
        self._all: set[str] = set()
        self._ordered = OrderedIds()
        self._status: dict[str, AgentStatus] = {}
        self._running: dict[str, int] = {}
        """Where it is not 0."""
        self._load: Counter[AgentStatus] = Counter()
        """The sum of `_running`, by status."""
        self.weighted = 0
        """Agents with a `weight` in their metadata."""

    def add(self, registration: AgentRegistered) -> None:
        """A new agent, or one that was discarded before; its status is still to be set."""
        self._all.add(registration.agent_id)
        self._ordered.add(registration.agent_id)
        self.weighted += "weight" in registration.metadata
        for key in _keys(registration):
            self._ids.setdefault(key, set()).add(registration.agent_id)

    def discard(self, registration: AgentRegistered) -> None:
        """Take out an agent that was added with this registration, and its status with it."""
        agent_id = registration.agent_id
        self._all.discard(agent_id)
        self._ordered.discard(agent_id)
        for key in _keys(registration):
            self._remove(key, agent_id)
        self.weighted -= "weight" in registration.metadata
        status = self._status.pop(agent_id, None)
        if status is not None:
            self._remove(("status", status.value), agent_id)
            self._load[status] -= self._running.pop(agent_id, 0)
        for key in _LISTENS.values():
            self._remove(key, agent_id)

    def set_status(self, agent_id: str, status: AgentStatus, running: int) -> None:
        """``running`` is how many tasks it has in its hands."""
        before = self._status.get(agent_id)
        had = self._running.get(agent_id, 0)
        if before is not status:
            if before is not None:
                self._remove(("status", before.value), agent_id)
            self._status[agent_id] = status
            self._ids.setdefault(("status", status.value), set()).add(agent_id)
        elif running == had:
            return
        if before is not None:
            self._load[before] -= had
        self._load[status] += running
        if running:
            self._running[agent_id] = running
        else:
            self._running.pop(agent_id, None)

    def set_listening(self, agent_id: str, *, listening: bool) -> None:
        """Whether it takes tasks from the broker, now or when a slot is free."""
        if agent_id in self._ids.get(_LISTENS[listening], _NOBODY):
            return
        self._remove(_LISTENS[not listening], agent_id)
        self._ids.setdefault(_LISTENS[listening], set()).add(agent_id)

    def count(self, status: AgentStatus) -> int:
        """Agents of this status."""
        return len(self._ids.get(("status", status.value), ()))

    def load(self, status: AgentStatus) -> int:
        """How many tasks the agents of this status have in their hands together."""
        return self._load[status]

    def find(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        task_type: str | None = None,
    ) -> AbstractSet[str]:
        """The ids of those that have all of it; see `AgentFilter.task_type`."""
        keys: list[_Key] = [("capability", name) for name in capabilities]
        keys += (("service", name) for name in services)
        if agent_type is not None:
            keys.append(("type", agent_type))
        if status is not None:
            keys.append(("status", status))
        sets = [self._ids.get(key, _NOBODY) for key in keys]
        if task_type is not None:
            sets.append(self._having("task", {task_type, _ALL_TYPES}))
        if not sets:
            return self._all
        smallest, *others = sorted(sets, key=len)
        return smallest.intersection(*others)

    def select(self, wanted: AgentFilter) -> AbstractSet[str]:
        """The ids of those that ``wanted`` admits."""
        sets = [self._having("capability", {name}) for name in wanted.capabilities]
        sets += (self._having("service", {name}) for name in wanted.services)
        if wanted.agent_types:
            sets.append(self._having("type", wanted.agent_types))
        if wanted.statuses:
            sets.append(self._having("status", wanted.statuses))
        if wanted.task_type is not None:
            sets.append(self._having("task", {wanted.task_type, _ALL_TYPES}))
        if wanted.listening is not None:
            kind, word = _LISTENS[wanted.listening]
            sets.append(self._having(kind, {word}))
        if not sets:
            return self._all
        smallest, *others = sorted(sets, key=len)
        return smallest.intersection(*others) if others else smallest

    def first(self, found: AbstractSet[str], *, after: str | None, count: int) -> list[str]:
        """The first ``count`` of ``found`` that come after ``after``, in order.

        Where they are many they are soon met on the way through all; where few, sorted out.
        """
        if len(found) ** 2 > count * len(self._all):
            return list(islice((one for one in self._ordered.after(after) if one in found), count))
        return nsmallest(count, (one for one in found if after is None or one > after))

    def _having(self, kind: str, names: AbstractSet[str]) -> set[str] | frozenset[str]:
        """Those that have one of them."""
        found = [self._ids.get((kind, name), _NOBODY) for name in names]
        return found[0] if len(found) == 1 else frozenset[str]().union(*found)

    def _remove(self, key: _Key, agent_id: str) -> None:
        ids = self._ids.get(key)
        if ids is not None:
            ids.discard(agent_id)
            if not ids:
                del self._ids[key]


def _keys(registration: AgentRegistered) -> Iterable[_Key]:
    yield "type", registration.agent_type
    yield from (("capability", name) for name in registration.capabilities)
    yield from (("service", name) for name in registration.services)
    yield from (("task", name) for name in registration.task_types or [_ALL_TYPES])
