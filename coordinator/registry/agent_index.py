"""Which agents have what: so that discovery looks at those that match, not at the whole fleet."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from coordinator.domain.agent_words import AgentStatus
from coordinator.protocol.events import AgentRegistered

__all__ = ["AgentIndex"]

_Key = tuple[str, str]
_NOBODY: frozenset[str] = frozenset()


class AgentIndex:
    """Ids of agents by type, capability, service and status."""

    def __init__(self) -> None:
        self._ids: dict[_Key, set[str]] = {}
        self._all: set[str] = set()
        self._status: dict[str, AgentStatus] = {}

    def add(self, registration: AgentRegistered) -> None:
        self._all.add(registration.agent_id)
        for key in _keys(registration):
            self._ids.setdefault(key, set()).add(registration.agent_id)

    def discard(self, registration: AgentRegistered) -> None:
        agent_id = registration.agent_id
        self._all.discard(agent_id)
        for key in _keys(registration):
            self._remove(key, agent_id)
        status = self._status.pop(agent_id, None)
        if status is not None:
            self._remove(("status", status.value), agent_id)

    def set_status(self, agent_id: str, status: AgentStatus) -> None:
        before = self._status.get(agent_id)
        if before is status:
            return
        if before is not None:
            self._remove(("status", before.value), agent_id)
        self._status[agent_id] = status
        self._ids.setdefault(("status", status.value), set()).add(agent_id)

    def count(self, status: AgentStatus) -> int:
        return len(self._ids.get(("status", status.value), ()))

    def find(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
    ) -> AbstractSet[str]:
        """The ids of those that have all of it."""
        keys: list[_Key] = [("capability", name) for name in capabilities]
        keys += (("service", name) for name in services)
        if agent_type is not None:
            keys.append(("type", agent_type))
        if status is not None:
            keys.append(("status", status))
        if not keys:
            return self._all
        smallest, *others = sorted((self._ids.get(key, _NOBODY) for key in keys), key=len)
        return smallest.intersection(*others)

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
