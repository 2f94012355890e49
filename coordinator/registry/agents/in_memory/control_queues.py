"""Notes which agents have a control queue on the broker, as far as is known, and which are to be asked for.

An agent that registered over HTTP alone has none: it takes nothing, however well it is. What an agent
says over the broker proves that it has one; of the others the broker is asked, see `control_queue_probe`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from datetime import timedelta

from coordinator.protocol.messages.events import AgentHeartbeat, AgentRegistered

__all__ = ["ControlQueues"]

_AT_ONCE = float("-inf")


class ControlQueues:
    """A sign of life over the broker is a proof until one over HTTP follows. What was known before
    that counts until the broker has been asked.
    """

    def __init__(self) -> None:
        self._absent: set[str] = set()
        """Agents that are not known to have one."""
        self._unproven: OrderedDict[str, float] = OrderedDict()
        """When the broker was asked for each, by any monotonic clock; the longest ago first."""

    def __contains__(self, agent_id: str) -> bool:
        return agent_id not in self._absent

    def meet(self, registration: AgentRegistered, beat: AgentHeartbeat | None) -> None:
        """An agent that was not known before; ``beat`` is the last that was heard of it."""
        agent_id = registration.agent_id
        if all(sign is None or sign.via is not None for sign in (registration, beat)):
            self._absent.add(agent_id)
        self.sign(agent_id, via=registration.via if beat is None else beat.via)

    def sign(self, agent_id: str, *, via: str | None) -> None:
        """The agent registered, or beat: ``via`` HTTP, or over the broker (None)."""
        if via is None:
            self._absent.discard(agent_id)
            self._unproven.pop(agent_id, None)
        elif agent_id not in self._unproven:
            self._unproven[agent_id] = _AT_ONCE
            self._unproven.move_to_end(agent_id, last=False)

    def answer(self, agent_id: str, *, present: bool) -> None:
        """What the broker said of one that `due` named."""
        if agent_id in self._unproven:
            (self._absent.discard if present else self._absent.add)(agent_id)

    def forget(self, agent_id: str) -> None:
        """The agent is gone."""
        self._absent.discard(agent_id)
        self._unproven.pop(agent_id, None)

    def due(self, now: float, *, again_after: timedelta, most: int) -> Iterable[str]:
        """Of which agents the broker is to be asked ``now``: those not asked for so long, at most
        ``most``, the longest ago first. They count as asked.
        """
        limit = now - again_after.total_seconds()
        found: list[str] = []
        for agent_id, asked in self._unproven.items():
            if asked > limit or len(found) == most:
                break
            found.append(agent_id)
        for agent_id in found:
            self._unproven[agent_id] = now
            self._unproven.move_to_end(agent_id)
        return found
