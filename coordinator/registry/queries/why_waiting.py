"""Why a task is where it is: what is ahead of it, who could take it, and why the others can't."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.broker.channel import Depth
from coordinator.domain.agent_matching import TAKES_WORK, lacks, not_now
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task import ENDED, State
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import LedgerUnavailable
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import ANY_TYPE, Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.known_agent import KnownAgent
from coordinator.registry.agents.live_agents import LiveAgents
from coordinator.registry.agents.live_reader import profile_of
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.offered_capabilities import never_offered
from coordinator.registry.tables.schema import QUEUED, from_micros, micros

from .views import TaskView
from .why_running import why_running

__all__ = ["AgentSaid", "Explanation", "WhyWaiting"]

MOST_AGENTS = 50
"""Agents named in an explanation, of those that could take the task and of the others."""

WARNING_SECONDS = 1.0
"""For how long the answer for one set of requirements is good: producers submit many alike."""

REMEMBERED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSaid:
    """An agent, and what keeps it from this task."""

    agent_id: str
    status: str
    why_not: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a task is where it is."""

    task: TaskView
    why: str
    """One sentence."""
    due_at: datetime | None = None
    """When it will be put on its queue: of a task that is scheduled, or waits for its next attempt."""
    ahead: dict[str, int]
    """Tasks of its lane that are taken before it, by priority, as far down as its own."""
    able: list[AgentSaid]
    """Agents that have all that it asks for; with no ``why_not`` for one that would start it now."""
    able_count: int
    unable: list[AgentSaid]
    """Agents that lack something."""
    unable_count: int
    warnings: list[str]
    """What has to change before it can be done."""


class LooksAtQueues(Protocol):
    """`broker.queue_depths.QueueDepths`."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]: ...


class FindTask(Protocol):
    """`registry.queries.registry.Registry.task`."""

    async def __call__(self, task_id: str) -> TaskView: ...


class WhyWaiting:
    """Reads the ledger, the agents in memory and the broker's queues; ``lost_after`` is that of
    `recovery.lost_attempts`.
    """

    def __init__(
        self,
        *,
        find: FindTask,
        agents: LiveAgents,
        book: TaskQueues,
        types: AnnouncedTypes,
        ledger: Ledger,
        depths: LooksAtQueues,
        lost_after: timedelta = timedelta(),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._agents = agents
        self._book = book
        self._types = types
        self._ledger = ledger
        self._depths = depths
        self._lost_after = lost_after
        self._monotonic = monotonic
        self._warnings: OrderedDict[tuple[Requirements, str | None], tuple[float, str | None]] = (
            OrderedDict()
        )

    async def explain(self, task_id: str) -> Explanation:
        """Raises `TaskNotFound`, `LedgerUnavailable`, or `BrokerUnavailable` for a task on a queue."""
        task = await self._find(task_id)
        state = State(task.state)
        wanted = self._types.routed(Requirements.from_dict(task.requirements), task.task_type)
        if state in ENDED or state is State.RUNNING:
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
        now = [known for known in able if not self._why_not_now(known)]
        return Explanation(
            task=task,
            why=_why_waiting(task, due_at, sum(ahead.values()), len(able), len(now)),
            due_at=due_at,
            ahead=ahead,
            able=[self._said(known, self._why_not_now(known)) for known in able[:MOST_AGENTS]],
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
        now = self._monotonic()
        key = asked, task_type
        known = self._warnings.get(key)
        if known is not None and now - known[0] < WARNING_SECONDS:
            return known[1]
        told = await self._look_for_warning(asked, task_type)
        self._warnings[key] = now, told
        self._warnings.move_to_end(key)
        if len(self._warnings) > REMEMBERED:
            self._warnings.popitem(last=False)
        return told

    async def _look_for_warning(self, asked: Requirements, task_type: str | None) -> str | None:
        wanted = self._types.routed(asked, task_type)
        found = self._find_agents(wanted)
        takers = [known for known in found if self._agents.takes_work(known)]
        if takers:
            return self._only_by_default(task_type, takers)
        deaf = sum(self._agents.status(known) in TAKES_WORK for known in found)
        if deaf:
            return (
                f"{_deaf(len(found), deaf)}, and who speaks HTTP alone takes no tasks. The task waits"
                " until one listens."
            )
        if found:
            return _resting(len(found))
        if not self._find_agents(wanted, any_type=True):
            waits = (
                "No agent that is registered now meets the requirements: the task waits for one."
            )
            return " ".join([waits, *await self._never(asked)])
        if task_type is None:
            return (
                "The task has no task_type, and no agent that is registered now has a handler for such"
                " tasks: it waits for one."
            )
        waits = (
            f"No agent that is registered now has a handler for tasks of the type {task_type!r}: the"
            " task waits for one."
        )
        return " ".join([waits, *await self._never(Requirements(task_type=task_type))])

    def _only_by_default(self, task_type: str | None, takers: Sequence[KnownAgent]) -> str | None:
        """In a fleet that announces its types, one that nobody did is most often a typing error."""
        if task_type is None or task_type in self._types or not self._types.all:
            return None
        if not all(known.agent.registration.task_types for known in takers):
            return None
        return (
            f"No agent that ever registered has a handler of its own for tasks of the type {task_type!r}:"
            " an agent with a default handler takes the task."
        )

    async def _never(self, asked: Requirements) -> list[str]:
        """Nothing while the ledger is away: a task that was accepted is not answered 503 over a warning."""
        try:
            return await self._ledger.read(partial(never_offered, asked))
        except LedgerUnavailable:
            return []

    def _find_agents(self, wanted: Requirements, *, any_type: bool = False) -> list[KnownAgent]:
        """Those that have all of it; with ``any_type``, whatever types of tasks they do."""
        if wanted.agent_id is not None:
            known = self._agents.get(wanted.agent_id)
            return [known] if known is not None and _suits(known, wanted, any_type) else []
        return self._agents.find(
            agent_type=wanted.agent_type,
            capabilities=wanted.capabilities,
            services=wanted.services,
            task_type=None if any_type else wanted.task_type or ANY_TYPE,
        )

    def _able(self, wanted: Requirements) -> tuple[list[KnownAgent], list[KnownAgent]]:
        """All that have what is asked for, and some that have not."""
        able = self._find_agents(wanted)
        ids = {known.agent_id for known in able}
        others = (known for known in self._agents.all() if known.agent_id not in ids)
        return able, list(islice(others, MOST_AGENTS))

    def _why_not_now(self, known: KnownAgent) -> list[str]:
        why = not_now(
            self._agents.status(known),
            on_broker=self._agents.on_broker(known),
            slots=known.slots,
            running=known.running,
        )
        return [] if why is None else [why]

    def _said(self, known: KnownAgent, why_not: list[str]) -> AgentSaid:
        status = self._agents.status(known).value
        return AgentSaid(agent_id=known.agent_id, status=status, why_not=why_not)

    def _why_not_waiting(self, task: TaskView) -> str:
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


def _suits(known: KnownAgent, wanted: Requirements, any_type: bool) -> bool:
    profile = profile_of(known.agent.registration)
    return (replace(profile, task_types=None) if any_type else profile).satisfies(wanted)


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


def _why_waiting(task: TaskView, due_at: datetime | None, ahead: int, able: int, now: int) -> str:
    when = "soon" if due_at is None else f"at {due_at.isoformat(timespec='seconds')}"
    if task.state == State.SCHEDULED:
        return f"Its time has not come: it will be put on its queue {when}."
    if task.state == State.WAITING and (task.error or {}).get("declined"):
        return f"{(task.error or {})['message']} It will be put on its queue again {when}."
    if task.state == State.WAITING:
        return f"Attempt {task.attempt} failed: the next one will be put on its queue {when}."
    tasks = "1 task of its lane is" if ahead == 1 else f"{ahead} tasks of its lane are"
    waits = f"{tasks} ahead of it"
    if not able:
        return f"No agent that is registered now may do it; {waits}."
    if able == 1:
        takes = "takes work now" if now else "has no free slot, or takes no work"
        return f"The one agent that may do it {takes}; {waits}."
    some = f"{now} of the {able} agents that may do it take work now"
    none = f"None of the {able} agents that may do it has a free slot or takes work"
    return f"{some if now else none}; {waits}."


def _resting(found: int) -> str:
    if found == 1:
        return "The one agent that meets the requirements takes no work now: the task waits until it does."
    return (
        f"None of the {found} agents that meet the requirements takes work now: the task waits until one"
        " does."
    )


def _deaf(found: int, deaf: int) -> str:
    if found == 1:
        return (
            "The one agent that meets the requirements does not listen: it would take work, but no"
            " control queue of its own is on the broker"
        )
    return (
        f"None of the {found} agents that meet the requirements listens: {deaf} of them would take work,"
        " but no control queue of theirs is on the broker"
    )
