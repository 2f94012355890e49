"""Answers questions about agents and tasks, over what this process has just published.

agents ......... from memory (`LiveAgents`)
tasks, totals .. from the ledger, with what this process has just published (`Overlay`)
a miss ......... only once all is known that was confirmed before (`ReadBarrier`)
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NoReturn

from coordinator.domain.task import Task
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import AgentNotFound, LedgerBehind, TaskNotFound, Unavailable
from coordinator.protocol.messages.events import (
    AgentEvent,
    Event,
    SourceOpened,
    TaskEvent,
)
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.task_end_waiters import TaskEndWaiters
from coordinator.registry.tables.task_queue_rows import opened_task_queue

from .overlay import Overlay
from .service_statistics import Statistics, statistics_of
from .single_task_queries import SingleTaskQueries
from .task_view import TaskView

__all__ = ["SETTLE_APART", "SETTLE_EVERY", "Registry"]

SETTLE_EVERY = timedelta(seconds=1)
"""Between two looks for what was published here and folded elsewhere."""

SETTLE_APART = timedelta(milliseconds=250)
"""The same where all of it is: until then totals are read over it."""

DOUBTED = timedelta(seconds=20)
"""How old may be what is asked for again: no task is deleted so soon, and none of those comes back."""


class Registry:
    """`note` and `note_submitted` are told what this process published, `folded` what was folded;
    either may come first.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        agents: LiveAgents,
        book: TaskQueues,
        catch_up: Callable[[], Awaitable[None]],
        hear: Callable[[], Awaitable[None]],
        settle_every: timedelta = SETTLE_EVERY,
    ) -> None:
        """``catch_up`` is `ReadBarrier.ledger`: once it returns, the ledger has all that was confirmed
        before. ``hear`` is `ReadBarrier.live`: once it returns, all is known here that was said about
        agents before. Both raise `LedgerBehind` or `BrokerUnavailable`.
        """
        self._queries = SingleTaskQueries(ledger)
        self._agents = agents
        self._book = book
        self._catch_up = catch_up
        self._hear = hear
        self._settle_every = settle_every.total_seconds()
        self._overlay = Overlay()
        self._doubted_until: datetime | None = None
        self.on_unrecorded: Callable[[Event], None] = lambda _: None
        """Given what the log has lost, each time that it is found missing."""
        self.waiters = TaskEndWaiters()
        """Who waits for the end of a task, see `PagedQueries.wait`."""
        self.group_waiters = TaskEndWaiters()
        """Who waits for ends of a group's tasks, see `groups.group_progress`."""

    async def run(self) -> NoReturn:
        """Let go of what another process's projector has folded, and of what was forgotten since; ends only
        by cancellation.
        """
        before: set[str] = set()
        while True:
            await asyncio.sleep(self._settle_every)
            if not before.isdisjoint(self._overlay.ids()):
                await self._let_go()
            before = set(self._overlay.ids())

    async def _let_go(self) -> None:
        """One mark in the log costs less than asking the ledger for each event. Where it does not come out
        soon, the projector is behind, and what it has folded by then is asked for.
        """
        try:
            await self.settle()
        except LedgerBehind:
            with suppress(Unavailable):
                known = await self._queries.known(self._overlay.all())
                self._overlay.folded(event_id for event_id, _ in known)
        except Unavailable:
            return

    async def settle(self) -> None:
        """Wait until the ledger has all that this process has seen confirmed, and go by the ledger alone
        for that: what it has not is of a task that was deleted, by another process too, or was lost with the
        log (see `doubt`). Raises `LedgerBehind`, `BrokerUnavailable` or `LedgerUnavailable`.
        """
        confirmed = set(self._overlay.ids())
        await self._catch_up()
        confirmed -= await self._unrecorded(confirmed)
        self._overlay.folded(confirmed)

    async def _unrecorded(self, confirmed: Collection[str]) -> set[str]:
        """Those of them that the log has lost, after they were told of."""
        end, oldest = self._doubted_until, self._overlay.oldest()
        if end is None or oldest is None:
            return set()
        if oldest > end + DOUBTED:  # nothing is on its way any more of what was doubted
            self._doubted_until = None
            return set()
        doubted = [one for one in self._overlay.between(end - DOUBTED, end) if one.id in confirmed]
        if not doubted:
            return set()
        known = {event_id for event_id, _ in await self._queries.known(doubted)}
        lost = [event for event in doubted if event.id not in known]
        for event in lost:
            self.on_unrecorded(event)
        return {event.id for event in lost}

    # --- questions ----------------------------------------------------------------------------

    async def agent(self, agent_id: str) -> AgentView:
        """Whichever coordinator registered it. Raises `AgentNotFound`; `LedgerBehind` or
        `BrokerUnavailable` where that cannot be told yet.
        """
        if agent_id not in self._agents:
            await self._hear()
        return self.agent_now(agent_id)

    def agent_now(self, agent_id: str) -> AgentView:
        """As far as it is known at this moment. Raises `AgentNotFound`."""
        known = self._agents.get(agent_id)
        if known is None:
            raise AgentNotFound(agent_id)
        return self._agents.view(known)

    def discover(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        tags: Iterable[str] = (),
        min_health_score: float = 0,
    ) -> list[AgentView]:
        """The agents that match every filter, the best health first, then by id; a value that nobody
        has matches nobody.
        """
        found = self._agents.find(
            status=status, agent_type=agent_type, capabilities=capabilities, services=services
        )
        tagged = frozenset(tags)
        views = [
            self._agents.view(known)
            for known in found
            if tagged.issubset(known.agent.registration.tags)
        ]
        healthy = [view for view in views if view.health_score >= min_health_score]
        return sorted(healthy, key=lambda view: (-view.health_score, view.agent_id))

    async def task(self, task_id: str) -> TaskView:
        """Whichever coordinator accepted it. Raises `TaskNotFound`; `LedgerBehind` or
        `BrokerUnavailable` where that cannot be told yet; or `LedgerUnavailable`.
        """
        try:
            return await self.find(task_id)
        except TaskNotFound:
            await self._catch_up()
            return await self.find(task_id)

    async def find(self, task_id: str) -> TaskView:
        """As far as it is known at this moment; waits for nothing. Raises `TaskNotFound` or
        `LedgerUnavailable`.
        """
        return await self._queries.task(task_id, self._overlay.of(task_id))

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        """The task as it was submitted, as far as it is known; ``certain`` is as with `task`.
        Raises `TaskNotFound` or `LedgerUnavailable`.
        """
        found = await self.submissions([task_id], certain=certain)
        if task_id not in found:
            raise TaskNotFound(task_id)
        return found[task_id]

    async def submissions(
        self, task_ids: Collection[str], *, certain: bool = False
    ) -> dict[str, TaskMessage]:
        """Those of the tasks that are known, as with `submission`."""
        found = await self._submissions(task_ids)
        if certain and len(found) < len(task_ids):
            await self._catch_up()
            found = await self._submissions(task_ids)
        return found

    async def _submissions(self, task_ids: Collection[str]) -> dict[str, TaskMessage]:
        return await self._queries.submissions(
            {task_id: self._overlay.of(task_id) for task_id in task_ids}
        )

    async def current_task(self, task_id: str) -> tuple[Task, TaskMessage]:
        """The task as the law has it now, and the message that its content is from; raises as `task`
        does.
        """
        try:
            return await self._queries.current_task(task_id, self._overlay.of(task_id))
        except TaskNotFound:
            await self._catch_up()
            return await self._queries.current_task(task_id, self._overlay.of(task_id))

    def pending(self, task_id: str | None = None) -> list[Event]:
        """What this process has seen confirmed and the ledger may not have, of one task or all."""
        return self._overlay.all() if task_id is None else self._overlay.of(task_id)

    async def statistics(self) -> Statistics:
        """Raises `LedgerUnavailable`."""
        totals, known = await self._queries.totals(self._overlay.all())
        self._overlay.folded(event_id for event_id, _ in known)
        return statistics_of(totals, self._agents)

    # --- what happens -------------------------------------------------------------------------

    def note_submitted(self, task: NewTask | TaskMessage) -> None:
        """This process has published the task, and the broker has it."""
        self._overlay.add_submission(task)

    def note(self, event: Event) -> None:
        """This process has published the event, and the broker has it."""
        if isinstance(event.data, TaskEvent):
            self._overlay.add(event)
            self.waiters.noticed([event])
        else:
            self._apply(event)

    def doubt(self, until: datetime) -> None:
        """What this process has published until then may be in no log: it was deleted, perhaps, and until it
        is there again a task goes to its queue alone.
        """
        self._doubted_until = until

    def note_deleted(self, task_id: str) -> None:
        """The ledger had all that was said of the task, and has it no more."""
        self._overlay.folded([event.id for event in self._overlay.of(task_id)])

    def folded(self, events: Sequence[Event]) -> None:
        """The ledger has these, new and in the order of the log."""
        self._overlay.folded(event.id for event in events if event.data.author is None)
        for event in events:
            self._apply(event)
        self.waiters.noticed(events)

    def _apply(self, event: Event) -> None:
        if isinstance(event.data, AgentEvent):
            self._agents.apply(event)
        elif isinstance(event.data, SourceOpened):
            self._book.add(*opened_task_queue(event.data))
