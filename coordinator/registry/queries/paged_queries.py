"""Answers in pages: tasks, their timelines, agents, parked messages; and waits for the end of a task.

tasks, timelines ... from the ledger, with what this process has just published
agents ............. from memory
parked ............. from the ledger
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial

from sqlalchemy.engine import Connection

from coordinator.domain.labels.task_labels import ANY_LABELS, LabelFilter
from coordinator.domain.task import IN_HAND, State
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger

from .parked_pages import ParkedMessage, ParkedPage, parked_page, parked_whole
from .registry import Registry
from .task_filter import TaskFilter
from .task_pages import LOOKED_AT, Place, TaskPage, page_of
from .task_timeline import TaskTimeline, timeline_of
from .task_view import TaskView

__all__ = ["AgentPage", "AgentsTaskPage", "PagedQueries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPage:
    """Holds some agents; the number of all that match; and after which id there are more."""

    agents: list[AgentView]
    total: int
    following: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentsTaskPage:
    """Holds some tasks of one agent, and where there are more: whether among those that run, and after
    which place, if any.
    """

    page: TaskPage
    following: tuple[bool, Place | None] | None


class PagedQueries:
    """Reads in one transaction for each page. All but `agents` raise `LedgerUnavailable`. ``looked_at``:
    tasks that a page is sifted from at most.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        agents: LiveAgents,
        registry: Registry,
        looked_at: int = LOOKED_AT,
    ) -> None:
        self._looked_at = looked_at
        self._ledger = ledger
        self._agents = agents
        self._registry = registry

    async def tasks(self, wanted: TaskFilter, *, after: Place | None, limit: int) -> TaskPage:
        """The newest first."""
        pending = self._registry.pending()
        return await self._ledger.read(
            partial(
                page_of,
                wanted=wanted,
                after=after,
                limit=limit,
                pending=pending,
                looked_at=self._looked_at,
            )
        )

    async def agents_tasks(
        self,
        agent_id: str,
        states: frozenset[State],
        *,
        after: tuple[bool, Place | None] | None,
        limit: int,
        labels: LabelFilter = ANY_LABELS,
    ) -> AgentsTaskPage:
        """Those that run first, then the others, each the newest first. Raises `AgentNotFound` where
        there is neither an agent of this id nor a task that matches.
        """
        states = states or frozenset(State)
        wanted = TaskFilter(agent_id=agent_id, labels=labels)
        pages = partial(page_of, pending=self._registry.pending(), looked_at=self._looked_at)
        ask = partial(_agents_tasks, wanted, states, pages, after, limit)
        found = await self._ledger.read(ask)
        if not found.page.tasks and found.following is None and after is None:
            await self._registry.agent(agent_id)
        return found

    async def wait(self, task_id: str, timeout: timedelta) -> TaskView:
        """The task, the moment it ends, or as it stands after ``timeout``. Raises what
        `Registry.task` raises.
        """
        with self._registry.waiters.of(task_id) as hint:
            task = await self._registry.task(task_id)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout.total_seconds()):
                    while not task.ended:
                        await hint.wait()
                        hint.clear()
                        task = await self._registry.find(task_id)
            return task

    async def timeline(self, task_id: str, *, after: int | None, limit: int) -> TaskTimeline:
        """Raises what `Registry.task` raises."""
        await self._registry.task(task_id)
        pending = self._registry.pending(task_id)
        return await self._ledger.read(
            partial(timeline_of, task_id=task_id, after=after, limit=limit, pending=pending)
        )

    def agents(self, wanted: AgentFilter, *, after: str | None, limit: int) -> AgentPage:
        """By id; a value that nobody has matches nobody."""
        found, total, more = self._agents.page(wanted, after=after, limit=limit)
        return AgentPage(
            agents=[self._agents.view(known) for known in found],
            total=total,
            following=found[-1].agent_id if more else None,
        )

    async def parked(self, *, after: int | None, limit: int) -> ParkedPage:
        """The latest first."""
        return await self._ledger.read(partial(parked_page, after=after, limit=limit))

    async def parked_message(self, position: int) -> ParkedMessage:
        """Raises `ParkedNotFound`."""
        return await self._ledger.read(partial(parked_whole, position=position))


_RUNNING = IN_HAND


def _agents_tasks(
    wanted: TaskFilter,
    states: frozenset[State],
    pages: Callable[..., TaskPage],
    after: tuple[bool, Place | None] | None,
    limit: int,
    connection: Connection,
) -> AgentsTaskPage:
    running, place = (True, None) if after is None else after
    found = TaskPage(tasks=[], following=None)
    if running and states & _RUNNING:
        first = replace(wanted, states=_RUNNING)
        found = pages(connection, first, after=place, limit=limit)
        if found.following is not None:
            return AgentsTaskPage(page=found, following=(True, found.following))
    if running:
        place = None
    others = states - _RUNNING
    if not others:
        return AgentsTaskPage(page=found, following=None)
    left = limit - len(found.tasks)
    if not left:
        return AgentsTaskPage(page=found, following=(False, None))
    rest = replace(wanted, states=others)
    more = pages(connection, rest, after=place, limit=left)
    page = TaskPage(tasks=found.tasks + more.tasks, following=more.following)
    return AgentsTaskPage(
        page=page, following=None if more.following is None else (False, more.following)
    )
