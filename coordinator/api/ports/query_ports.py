"""Declares the ports through which endpoints look things up: agents, tasks, pages, dead tasks, queues."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.labels.group_counts import GroupCounts
from coordinator.domain.labels.task_labels import ANY_LABELS, LabelFilter
from coordinator.domain.task import State
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.queries.dead_tasks import DeadPage
from coordinator.registry.queries.explanations.why_waiting import Explanation
from coordinator.registry.queries.groups.group_progress import GroupWaited, GroupWish
from coordinator.registry.queries.paged_queries import AgentPage, AgentsTaskPage
from coordinator.registry.queries.parked_pages import ParkedMessage, ParkedPage
from coordinator.registry.queries.queue_statistics import QueueFigures
from coordinator.registry.queries.service_statistics import Statistics
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_pages import Place, TaskPage
from coordinator.registry.queries.task_timeline import TaskTimeline
from coordinator.registry.queries.task_view import TaskView
from coordinator.registry.stores.callback_deliveries import (
    CallbackFilter,
    CallbackPage,
    CallbackPlace,
)

__all__ = [
    "ExplainsWaiting",
    "KeepsCallbacks",
    "KnowsGroups",
    "ListsDeadTasks",
    "LooksUpRecords",
    "ReadsPages",
    "ReadsQueueStatistics",
]


class LooksUpRecords(Protocol):
    """Looks up agents, tasks and totals. `coordinator.registry.queries.registry.Registry` fits."""

    async def agent(self, agent_id: str) -> AgentView:
        """Raises `AgentNotFound` or `Unavailable`."""
        ...

    def discover(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        tags: Iterable[str] = (),
        min_health_score: float = 0,
    ) -> Sequence[AgentView]:
        """The agents that match every filter, the best health first, then by id; all without a filter."""
        ...

    async def task(self, task_id: str) -> TaskView:
        """Raises `TaskNotFound` or `Unavailable`."""
        ...

    async def statistics(self) -> Statistics:
        """Of all tasks. Raises `LedgerUnavailable`."""
        ...


class KnowsGroups(Protocol):
    """Tells how groups of tasks stand. `registry.queries.groups.group_progress.GroupProgress` fits.

    Of the tasks of one caller alone where ``by`` is given. Raises `GroupNotFound` or `Unavailable`.
    """

    async def counts(self, group_id: str, *, by: str | None = None) -> GroupCounts:
        """With all that was accepted before."""
        ...

    async def wait(
        self, group_id: str, wish: GroupWish, timeout: timedelta, *, by: str | None = None
    ) -> GroupWaited:
        """The moment that ``wish`` is met, or after ``timeout``."""
        ...


class ReadsPages(Protocol):
    """Reads lists by pages, and waits for ends. `registry.queries.paged_queries.PagedQueries` fits.

    A page begins after ``after``, None for the first. All but `agents` raise `LedgerUnavailable`.
    """

    async def tasks(self, wanted: TaskFilter, *, after: Place | None, limit: int) -> TaskPage:
        """The newest first."""
        ...

    async def agents_tasks(
        self,
        agent_id: str,
        states: frozenset[State],
        *,
        after: tuple[bool, Place | None] | None,
        limit: int,
        labels: LabelFilter = ANY_LABELS,
    ) -> AgentsTaskPage:
        """Tasks of one agent, those that run first; ``after`` says whether among these, and where. Raises
        `AgentNotFound` where there is neither the agent nor a task.
        """
        ...

    async def wait(self, task_id: str, timeout: timedelta) -> TaskView:
        """The task the moment it ends, or as it stands after ``timeout``. Raises as `LooksUpRecords.task`."""
        ...

    async def timeline(self, task_id: str, *, after: int | None, limit: int) -> TaskTimeline:
        """The oldest first; ``after`` is a position in the log. Raises as `LooksUpRecords.task`."""
        ...

    def agents(self, wanted: AgentFilter, *, after: str | None, limit: int) -> AgentPage:
        """By id."""
        ...

    async def parked(self, *, after: int | None, limit: int) -> ParkedPage:
        """The latest first."""
        ...

    async def parked_message(self, position: int) -> ParkedMessage:
        """Raises `ParkedNotFound`."""
        ...


class ListsDeadTasks(Protocol):
    """Lists dead tasks by error. `coordinator.registry.queries.dead_tasks.DeadTasks` fits."""

    async def page(self, wanted: DeadFilter, *, limit: int, cursor: str | None) -> DeadPage:
        """The last that died first; ``cursor`` is the `next_cursor` of the page before, None for the
        first. Raises `InvalidRequest` for another cursor, or `LedgerUnavailable`.
        """
        ...


class KeepsCallbacks(Protocol):
    """Lists deliveries of callbacks, and makes dead ones due again.
    `coordinator.registry.stores.callback_deliveries.CallbackDeliveries` fits. Both raise `LedgerUnavailable`.
    """

    async def page(
        self, wanted: CallbackFilter, *, after: CallbackPlace | None, limit: int
    ) -> CallbackPage:
        """The latest first, behind ``after``; None is the first page."""
        ...

    async def redrive(self, wanted: CallbackFilter, *, dry_run: bool) -> int:
        """How many dead ones match, and are due now unless it was a ``dry_run``."""
        ...


class ReadsQueueStatistics(Protocol):
    """Reads the ages and listeners of queues.
    `coordinator.registry.queries.queue_statistics.QueueStatistics` fits.
    """

    async def lines(self) -> Mapping[TaskQueue, QueueFigures]:
        """Of every open queue. Raises `LedgerUnavailable`."""
        ...


class ExplainsWaiting(Protocol):
    """Explains why tasks wait. `coordinator.registry.queries.explanations.why_waiting.WhyWaiting` fits."""

    async def explain(self, task_id: str) -> Explanation:
        """Raises `TaskNotFound` or `Unavailable`."""
        ...

    async def warning(self, asked: Requirements, task_type: str | None) -> str | None:
        """A sentence where no agent is there that could do such a task; at most a second old."""
        ...


class ExaminationFinding(Protocol):
    """Says one thing about the broker or the ledger. `coordinator.doctor.checks.finding.Finding` fits."""

    @property
    def level(self) -> str:
        """`ok`, `warning` or `problem`."""
        ...

    @property
    def check(self) -> str:
        """What was looked at, as a word."""
        ...

    @property
    def text(self) -> str:
        """One sentence."""
        ...

    @property
    def fix(self) -> str | None:
        """What puts it right; None where nothing is wrong."""
        ...


class Findings(Protocol):
    """Holds what an examination has found. `coordinator.doctor.shared_examination.Examined` fits."""

    @property
    def findings(self) -> Sequence[ExaminationFinding]:
        """In the order in which they are told."""
        ...

    @property
    def seconds_ago(self) -> float:
        """When the examination ended."""
        ...


class Examines(Protocol):
    """Examines the broker and the ledger. `coordinator.doctor.shared_examination.SharedExamination` fits."""

    async def __call__(self) -> Findings:
        """Raises nothing: what cannot be reached is a finding."""
        ...
