"""Stands in for what answers in pages, where a test is about the shape of answers alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from coordinator.domain.task import State
from coordinator.errors import AgentNotFound, ParkedNotFound, TaskNotFound
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.queries.paged_queries import AgentPage, AgentsTaskPage
from coordinator.registry.queries.parked_pages import ParkedMessage, ParkedPage
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_pages import Place, TaskPage
from coordinator.registry.queries.task_timeline import TaskTimeline, TimelineEntry
from coordinator.registry.queries.task_view import TaskView

__all__ = ["FakeBrowsing"]

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


class FakeBrowsing:
    """One of each. ``fail`` raises what the test wants; ``asked`` is what was asked last."""

    def __init__(
        self,
        fail: Callable[[], None],
        agents: dict[str, AgentView],
        tasks: dict[str, TaskView],
    ) -> None:
        self._fail = fail
        self._agents = agents
        self._tasks = tasks
        self.asked: tuple[Any, ...] = ()
        self.more = False
        """Whether there is another page."""

    async def tasks(self, wanted: TaskFilter, *, after: Place | None, limit: int) -> TaskPage:
        self._fail()
        self.asked = wanted, after, limit
        return TaskPage(
            tasks=list(self._tasks.values()), following=Place(17, "task-1") if self.more else None
        )

    async def agents_tasks(
        self,
        agent_id: str,
        states: frozenset[State],
        *,
        after: tuple[bool, Place | None] | None,
        limit: int,
    ) -> AgentsTaskPage:
        self._fail()
        if agent_id not in self._agents:
            raise AgentNotFound(agent_id)
        self.asked = agent_id, states, after, limit
        return AgentsTaskPage(
            page=TaskPage(tasks=list(self._tasks.values()), following=None),
            following=(False, Place(17, "task-1")) if self.more else None,
        )

    async def wait(self, task_id: str, timeout: timedelta) -> TaskView:
        self._fail()
        if task_id not in self._tasks:
            raise TaskNotFound(task_id)
        self.asked = task_id, timeout
        return self._tasks[task_id]

    async def timeline(self, task_id: str, *, after: int | None, limit: int) -> TaskTimeline:
        self._fail()
        if task_id not in self._tasks:
            raise TaskNotFound(task_id)
        self.asked = task_id, after, limit
        one = TimelineEntry(
            position=8,
            event_id="e1",
            type="task.progress",
            time=NOW,
            generation=1,
            attempt=2,
            agent_id="hermes-agent",
            details={"fraction": 0.5},
        )
        return TaskTimeline(events=[one], following=9 if self.more else None)

    def agents(self, wanted: AgentFilter, *, after: str | None, limit: int) -> AgentPage:
        self._fail()
        self.asked = wanted, after, limit
        return AgentPage(
            agents=list(self._agents.values()),
            total=len(self._agents),
            following="hermes-agent" if self.more else None,
        )

    async def parked(self, *, after: int | None, limit: int) -> ParkedPage:
        self._fail()
        self.asked = after, limit
        found = [parked(2, b"\xff\x00"), parked(1, WORDS[:-1], WORDS)]
        return ParkedPage(messages=found, total=2, dropped=3, following=1 if self.more else None)

    async def parked_message(self, position: int) -> ParkedMessage:
        self._fail()
        if position != 1:
            raise ParkedNotFound
        return parked(1, WORDS[:-1], WORDS)


WORDS = "não éé".encode()
"""Of which a page shows all but half of the last character."""


def parked(position: int, body: bytes, whole: bytes | None = None) -> ParkedMessage:
    whole = body if whole is None else whole
    return ParkedMessage(
        position=position,
        received_at=NOW,
        reason="MalformedMessage: not a task",
        exchange="coordinator.events",
        routing_key="task.ada.started",
        properties={"type": "task"},
        author="ada",
        size=len(whole),
        sha256=sha256(whole).hexdigest(),
        body=body,
    )
