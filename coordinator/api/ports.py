"""What the API asks of the rest of the program; bootstrap fits it in, tests may fit in their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.domain.task import State
from coordinator.protocol.messages.registration import RegisterRequest
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.recovery.redrive import Redriven, RedrivenMany
from coordinator.recovery.task_cancellation import Cancelled
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.queries.dead_tasks import DeadPage
from coordinator.registry.queries.explanations.why_waiting import Explanation
from coordinator.registry.queries.paged_queries import AgentPage, AgentsTaskPage
from coordinator.registry.queries.parked_pages import ParkedMessage, ParkedPage
from coordinator.registry.queries.queue_statistics import QueueFigures
from coordinator.registry.queries.service_statistics import Statistics
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_pages import Place, TaskPage
from coordinator.registry.queries.task_timeline import TaskTimeline
from coordinator.registry.queries.task_view import TaskView
from coordinator.registry.stores.schedule_rows import Schedule
from coordinator.submission.batch_submitter import Verdict
from coordinator.submission.idempotent_submission import Worked
from coordinator.submission.task_maker import Accepted, SubmitTask

__all__ = [
    "Browses",
    "Cancels",
    "Clears",
    "CommandsAgents",
    "DeletesTasks",
    "DoesOnce",
    "Explains",
    "KeepsSchedules",
    "ListsDead",
    "Queries",
    "Redrives",
    "Submits",
    "SubmitsMany",
    "TellsLines",
]


class Submits(Protocol):
    """`submission.submitter.Submitter`."""

    async def submit(self, command: SubmitTask) -> Accepted: ...

    async def check(self, command: SubmitTask) -> None:
        """Raises what `submit` would raise whenever it is tried."""
        ...


class SubmitsMany(Protocol):
    """`submission.batch_submitter.BatchSubmitter`."""

    async def submit_all(self, commands: Sequence[SubmitTask]) -> Sequence[Verdict]: ...


class DoesOnce(Protocol):
    """`submission.idempotent_submission.IdempotentSubmission`."""

    async def run(
        self, key: str, fingerprint: str, work: Callable[[IdempotencyClaim], Awaitable[Worked]]
    ) -> Answered: ...


class Clears(Protocol):
    """`submission.queue_clearer.QueueClearer`."""

    async def clear(self, priority: Priority) -> int: ...


class Cancels(Protocol):
    """`recovery.task_cancellation.Canceller`."""

    async def cancel(self, task_id: str, reason: str | None = None) -> Cancelled: ...


class DeletesTasks(Protocol):
    """`registry.upkeep.task_deletion.TaskDeletion`."""

    async def delete(self, task_id: str) -> None: ...


class ListsDead(Protocol):
    """`registry.queries.dead_tasks.DeadTasks`."""

    async def page(self, wanted: DeadFilter, *, limit: int, cursor: str | None) -> DeadPage: ...


class Redrives(Protocol):
    """`recovery.redrive.Redriver`."""

    async def redrive(
        self,
        task_id: str,
        *,
        task_data: dict[str, Any] | None = None,
        delay: timedelta = ...,
    ) -> Redriven: ...

    async def redrive_dead(
        self, wanted: DeadFilter, *, rate: float | None, limit: int, dry_run: bool = False
    ) -> RedrivenMany: ...


class TellsLines(Protocol):
    """`registry.queries.queue_statistics.QueueStatistics`."""

    async def lines(self) -> Mapping[TaskQueue, QueueFigures]: ...


class Queries(Protocol):
    """`registry`: everything that answers a question."""

    async def agent(self, agent_id: str) -> AgentView: ...

    def discover(
        self,
        *,
        status: str | None = None,
        agent_type: str | None = None,
        capabilities: Iterable[str] = (),
        services: Iterable[str] = (),
        tags: Iterable[str] = (),
        min_health_score: float = 0,
    ) -> Sequence[AgentView]: ...

    async def task(self, task_id: str) -> TaskView: ...

    async def statistics(self) -> Statistics: ...


class Browses(Protocol):
    """`registry.queries.paged_queries.PagedQueries`."""

    async def tasks(self, wanted: TaskFilter, *, after: Place | None, limit: int) -> TaskPage: ...

    async def agents_tasks(
        self,
        agent_id: str,
        states: frozenset[State],
        *,
        after: tuple[bool, Place | None] | None,
        limit: int,
    ) -> AgentsTaskPage: ...

    async def wait(self, task_id: str, timeout: timedelta) -> TaskView: ...

    async def timeline(self, task_id: str, *, after: int | None, limit: int) -> TaskTimeline: ...

    def agents(self, wanted: AgentFilter, *, after: str | None, limit: int) -> AgentPage: ...

    async def parked(self, *, after: int | None, limit: int) -> ParkedPage: ...

    async def parked_message(self, position: int) -> ParkedMessage: ...


class Explains(Protocol):
    """`registry.queries.explanations.why_waiting.WhyWaiting`."""

    async def explain(self, task_id: str) -> Explanation: ...

    async def warning(self, asked: Requirements, task_type: str | None) -> str | None: ...


class KeepsSchedules(Protocol):
    """`registry.stores.schedules.Schedules`."""

    async def create(self, schedule: Schedule) -> Schedule: ...

    async def get(self, schedule_id: str) -> Schedule: ...

    async def page(self, after: str, limit: int) -> list[Schedule]: ...

    async def pause(self, schedule_id: str) -> Schedule: ...

    async def resume(self, schedule_id: str) -> Schedule: ...

    async def delete(self, schedule_id: str) -> None: ...


class CommandsAgents(Protocol):
    """`registry`: what is done about an agent, each with the instant at which it was."""

    async def register_over_http(
        self, request: RegisterRequest
    ) -> tuple[datetime, bool | None]: ...

    async def heartbeat(
        self, agent_id: str, *, status: str | None, load_metrics: dict[str, float] | None
    ) -> datetime: ...

    async def set_status(
        self, agent_id: str, status: str, load_metrics: dict[str, float] | None
    ) -> datetime: ...

    async def drain(self, agent_id: str) -> tuple[datetime, bool]: ...

    async def remove(self, agent_id: str) -> None: ...
