"""Explains why a task waits: what is ahead of it, which agents could take it, and why the others cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.broker.ports import ReadsQueueDepths
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.ineligibility_reasons import lacks
from coordinator.domain.task import ENDED, IN_HAND, State
from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.in_memory.known_agent import KnownAgent, profile_of
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.queries.task_view import TaskView
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import QUEUED, from_micros, micros

from .able_agents import AbleAgents
from .unserved_task_warning import UnservedTaskWarning
from .why_running import why_input_required, why_running

__all__ = ["AgentObstacles", "Explanation", "WhyWaiting"]

MOST_AGENTS = 50
"""Agents named in an explanation, of those that could take the task and of the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentObstacles:
    """Tells of an agent what keeps it from this task."""

    agent_id: str
    status: str
    why_not: list[str]
    """Sentences' ends; empty for one that would start it now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Answers why a task is where it is."""

    task: TaskView
    why: str
    """One sentence."""
    due_at: datetime | None = None
    """When it will be put on its queue: of a task that is scheduled, or waits for its next attempt."""
    ahead: dict[str, int]
    """Tasks of its lane that are taken before it, by priority, as far down as its own."""
    able: list[AgentObstacles]
    """Agents that have all that it asks for; with no ``why_not`` for one that would start it now."""
    able_count: int
    unable: list[AgentObstacles]
    """Agents that lack something."""
    unable_count: int
    warnings: list[str]
    """What has to change before it can be done."""


class FindsTaskView(Protocol):
    """Finds a task, whichever coordinator accepted it: `registry.queries.registry.Registry.task`."""

    async def __call__(self, task_id: str) -> TaskView:
        """Raises `TaskNotFound`; `LedgerBehind` or `BrokerUnavailable` where that cannot be told yet; or
        `LedgerUnavailable`.
        """


class WhyWaiting:
    """Reads the ledger, the agents in memory and the broker's queues."""

    def __init__(
        self,
        *,
        find: FindsTaskView,
        agents: LiveAgents,
        book: TaskQueues,
        types: AnnouncedTypes,
        ledger: Ledger,
        depths: ReadsQueueDepths,
        lost_after: timedelta = timedelta(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``lost_after`` is that of `recovery.lost_attempts`, zero for never; ``monotonic`` tells
        seconds, from any start.
        """
        self._find = find
        self._agents = agents
        self._book = book
        self._types = types
        self._able_agents = AbleAgents(agents)
        self._warning = UnservedTaskWarning(
            agents=agents, types=types, ledger=ledger, monotonic=monotonic
        )
        self._ledger = ledger
        self._depths = depths
        self._lost_after = lost_after

    async def explain(self, task_id: str) -> Explanation:
        """Raises `TaskNotFound`, `LedgerUnavailable`, or `BrokerUnavailable` for a task on a queue."""
        task = await self._find(task_id)
        state = State(task.state)
        wanted = self._types.routed(Requirements.from_dict(task.requirements), task.task_type)
        if state in ENDED or state in IN_HAND:
            return Explanation(
                task=task,
                why=self._why_not_waiting(task),
                ahead={},
                able=[],
                able_count=0,
                unable=[],
                unable_count=0,
                warnings=[],
            )
        able, unable = self._able(wanted)
        ahead = await self._ahead(task) if state is State.QUEUED else {}
        due_at = await self._ledger.read(partial(_due_at, task))
        warning = await self.warning(wanted.asked, task.task_type)
        queue = TaskQueue(task.lane, task.priority).queue
        why_not = {known.agent_id: self._able_agents.why_not_now(known, queue) for known in able}
        readers = {
            known.agent_id: why_not[known.agent_id] for known in able if known.may_read(queue)
        }
        who = _who_may(readers, len(able) - len(readers))
        return Explanation(
            task=task,
            why=_why_waiting(task, due_at, sum(ahead.values()), who),
            due_at=due_at,
            ahead=ahead,
            able=[self._said(known, why_not[known.agent_id]) for known in able[:MOST_AGENTS]],
            able_count=len(able),
            unable=[
                self._said(
                    known, lacks(profile_of(known.agent.registration), wanted, task.task_type)
                )
                for known in unable
            ],
            unable_count=len(self._agents) - len(able),
            warnings=[] if warning is None else [warning],
        )

    async def warning(self, asked: Requirements, task_type: str | None) -> str | None:
        """Why a task of this type, with these requirements, would wait for an agent that is not there;
        None where one is. An answer is at most a second old.
        """
        return await self._warning.of(asked, task_type)

    def _able(self, wanted: Requirements) -> tuple[list[KnownAgent], list[KnownAgent]]:
        """All that have what is asked for, and some that have not."""
        able = self._able_agents.find(wanted)
        ids = {known.agent_id for known in able}
        others = (known for known in self._agents.all() if known.agent_id not in ids)
        return able, list(islice(others, MOST_AGENTS))

    def _said(self, known: KnownAgent, why_not: list[str]) -> AgentObstacles:
        status = self._agents.status(known).value
        return AgentObstacles(agent_id=known.agent_id, status=status, why_not=why_not)

    def _why_not_waiting(self, task: TaskView) -> str:
        if task.question is not None and task.state == State.INPUT_REQUIRED:
            return why_input_required(task.task_id, task.question)
        if task.state == State.RUNNING:
            return why_running(task, self._agents, lost_after=self._lost_after)
        return f"It does not wait: it has ended ({task.state})."

    async def _ahead(self, task: TaskView) -> dict[str, int]:
        better = [
            source
            for source in (TaskQueue(task.lane, priority) for priority in Priority)
            if source.priority.rank < task.priority.rank and source in self._book
        ]
        depths = await self._depths.look(source.queue for source in better)
        ahead = {
            source.priority.value: 0 if depth is None else depth.ready
            for source, depth in ((source, depths[source.queue]) for source in better)
        }
        ahead[task.priority.value] = await self._ledger.read(partial(_before, task))
        return ahead


def _before(task: TaskView, connection: Connection) -> int:
    """How many of its own queue were submitted before it."""
    tasks = schema.tasks.c
    query = sa.select(sa.func.count()).where(
        QUEUED,
        tasks.lane == task.lane,
        tasks.priority == task.priority.value,
        tasks.submitted_at < micros(task.submitted_at),
    )
    return int(connection.execute(query).scalar_one())


def _due_at(task: TaskView, connection: Connection) -> datetime | None:
    outbox = schema.outbox.c
    query = sa.select(sa.func.min(outbox.due_at)).where(outbox.task_id == task.task_id)
    found = connection.execute(query).scalar()
    return None if found is None else from_micros(found)


def _why_waiting(task: TaskView, due_at: datetime | None, ahead: int, who: str) -> str:
    """``who`` begins the sentence about a task that is on its queue."""
    when = "soon" if due_at is None else f"at {due_at.isoformat(timespec='seconds')}"
    if task.state == State.SCHEDULED:
        return f"Its time has not come: it will be put on its queue {when}."
    if task.state == State.WAITING and (task.error or {}).get("declined"):
        return f"{(task.error or {})['message']} It will be put on its queue again {when}."
    if task.state == State.WAITING:
        return f"Attempt {task.attempt} failed: the next one will be put on its queue {when}."
    tasks = "1 task of its lane is" if ahead == 1 else f"{ahead or 'no'} tasks of its lane are"
    return f"{who}; {tasks} ahead of it."


def _who_may(readers: dict[str, list[str]], unreadable: int) -> str:
    """``readers`` is why each agent that may do it, and read its queue, does not start it now; ``unreadable``
    of how many others its queue may not be read.
    """
    if not readers and unreadable == 1:
        return "The one agent that may do it lacks the permission to read its queue on the broker"
    if not readers and unreadable:
        return f"All {unreadable} agents that may do it lack the permission to read its queue on the broker"
    if not readers:
        return "No agent that is registered now may do it"
    now = sum(not why_not for why_not in readers.values())
    if len(readers) == 1:
        ((agent_id, why_not),) = readers.items()
        takes = "takes work now" if now else f"takes none now: {'; '.join(why_not)}"
        return f"The one agent that may do it, {agent_id}, {takes}"
    if now:
        return f"{now} of the {len(readers)} agents that may do it take work now"
    return f"None of the {len(readers)} agents that may do it has a free slot or takes work"
