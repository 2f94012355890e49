"""Measures how long each agent has been silent, and finds those that became stale without looking at all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from coordinator.domain.hearing_clock import HearingClock

__all__ = ["AgentSilence"]


class AgentSilence:
    """Keeps the ids of agents in the order in which they were heard, on the hearing clock."""

    def __init__(self, *, stale_after: timedelta, monotonic: Callable[[], float]) -> None:
        self.stale_after = stale_after
        self._monotonic = monotonic
        self._clock = HearingClock()
        self._fresh: OrderedDict[str, float] = OrderedDict()
        """When each was heard, the longest ago first."""
        self._stale: OrderedDict[str, float] = OrderedDict()

    @property
    def hearing(self) -> bool:
        """Whether heartbeats arrive, so that silence counts."""
        return self._clock.hearing

    def start_hearing(self) -> None:
        """From now on silence counts."""
        self._clock.start(self._monotonic())

    def stop_hearing(self) -> None:
        """From now on time is nobody's silence."""
        self._clock.stop(self._monotonic())

    def now(self) -> float:
        """Seconds for which this process has heard agents until now."""
        return self._clock.at(self._monotonic())

    def hear(self, agent_id: str) -> None:
        """The agent gave a sign of life at this moment."""
        self._stale.pop(agent_id, None)
        self._fresh[agent_id] = self.now()
        self._fresh.move_to_end(agent_id)

    def forget(self, agent_id: str) -> None:
        """Measure an agent no more, if it was measured."""
        self._fresh.pop(agent_id, None)
        self._stale.pop(agent_id, None)

    def of(self, agent_id: str) -> timedelta:
        """How long the agent was not heard. Raises `KeyError`."""
        heard = self._fresh.get(agent_id)
        if heard is None:
            heard = self._stale[agent_id]
        return timedelta(seconds=self.now() - heard)

    def restore(self, silences: dict[str, timedelta]) -> None:
        """These agents have been silent for so long."""
        if not silences:
            return
        now = self.now()
        everyone = self._stale | self._fresh
        everyone |= {one: now - silence.total_seconds() for one, silence in silences.items()}
        self._stale.clear()
        self._fresh = OrderedDict(sorted(everyone.items(), key=lambda item: item[1]))

    def newly_stale(self) -> list[str]:
        """Who was silent for longer than `stale_after`, each told once until it is heard again."""
        limit = self.now() - self.stale_after.total_seconds()
        found: list[str] = []
        while self._fresh:
            agent_id, heard = next(iter(self._fresh.items()))
            if heard >= limit:
                break
            del self._fresh[agent_id]
            self._stale[agent_id] = heard
            found.append(agent_id)
        return found

    def longer_than(self, longest: timedelta) -> list[str]:
        """Of those that are stale, who was silent for longer than this; the longest first."""
        limit = self.now() - longest.total_seconds()
        found: list[str] = []
        for agent_id, heard in self._stale.items():
            if heard >= limit:
                break
            found.append(agent_id)
        return found
