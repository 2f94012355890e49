"""Agents in memory, with clocks that tests turn."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    Event,
    RunningTask,
)
from coordinator.registry.agents.in_memory.known_agent import KnownAgent
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.agents.in_memory.named_tasks import BELIEVING, NamedTasks
from tests.unit.domain.histories import START

STALE_AFTER = timedelta(seconds=60)
STEP = 1.0


class Clock:
    """The monotonic and the wall clock of one coordinator."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.wall = START

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.wall


class Fleet(LiveAgents):
    """`LiveAgents` that hear, on a clock of the test's."""

    def __init__(self, *, hearing: bool = True, named: NamedTasks = BELIEVING) -> None:
        self.clock = Clock()
        super().__init__(
            stale_after=STALE_AFTER,
            named=named,
            monotonic=self.clock.monotonic,
            now=self.clock.now,
        )
        if hearing:
            self.start_hearing()

    def pass_time(self, seconds: float) -> None:
        """Second by second, as a running coordinator looks at the clock."""
        left = seconds
        while left > 0:
            step = min(STEP, left)
            self.clock.seconds += step
            self.clock.wall += timedelta(seconds=step)
            left -= step
            self.mark_stale()

    def the(self, agent_id: str) -> KnownAgent:
        known = self.get(agent_id)
        assert known is not None
        return known

    def status_of(self, agent_id: str) -> str:
        """As a look-up and as discovery tell it, which must agree."""
        status = self.view(self.the(agent_id)).status
        assert [known.agent_id for known in self.find(status=status) if known.agent_id == agent_id]
        return status


def fleet_after(*events: Event, named: NamedTasks = BELIEVING) -> Fleet:
    fleet = Fleet(named=named)
    for event in events:
        fleet.apply(event)
    return fleet


def restore(fleet: Fleet, known: KnownAgent, silence: timedelta = timedelta()) -> None:
    fleet.restore(
        known.agent, heartbeat=None, load_metrics=None, heard_at=known.heard_at, silence=silence
    )
    fleet.restored()


class Published:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, Message]] = []
        self.fails: Exception | None = None

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        del mandatory
        if self.fails is not None:
            raise self.fails
        self.messages.append((exchange, key, message))

    @property
    def keys(self) -> list[str]:
        return [key for _, key, _ in self.messages]


def registered(agent_id: str = "ada", seconds: float = 0, **more: Any) -> Event:
    given: dict[str, Any] = {"agent_id": agent_id, "agent_type": "worker"}
    return Event(time=_at(seconds), data=AgentRegistered.model_validate(given | more))


def beat(agent_id: str = "ada", *, running: int = 0, seconds: float = 0, **more: Any) -> Event:
    tasks = [RunningTask(task_id=f"task-{n}", started_at=START) for n in range(running)]
    return Event(time=_at(seconds), data=AgentHeartbeat(agent_id=agent_id, running=tasks, **more))


def declared(status: str, agent_id: str = "ada", seconds: float = 1, **more: Any) -> Event:
    data = AgentStatusChanged(agent_id=agent_id, status=status, **more)
    return Event(time=_at(seconds), data=data)


def stopped(agent_id: str = "ada", seconds: float = 1, **more: Any) -> Event:
    return Event(time=_at(seconds), data=AgentStopped(agent_id=agent_id, **more))


def removed(agent_id: str = "ada", seconds: float = 2, **more: Any) -> Event:
    return Event(time=_at(seconds), data=AgentRemoved(agent_id=agent_id, **more))


def _at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)
