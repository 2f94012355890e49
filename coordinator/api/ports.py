"""What the API asks of the rest of the program; bootstrap fits it in, tests may fit in their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from coordinator.broker.channel import Depth
from coordinator.domain.claim import Answered, Claim
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import State
from coordinator.protocol.lanes import Source
from coordinator.protocol.priority import Priority
from coordinator.protocol.registration import RegisterRequest
from coordinator.protocol.requirements import Requirements
from coordinator.recovery.cancelling import Cancelled
from coordinator.recovery.redriving import Redriven, RedrivenMany
from coordinator.registry.agent_index import AgentFilter
from coordinator.registry.browsing import AgentPage, AgentsTaskPage
from coordinator.registry.dead_tasks import DeadPage
from coordinator.registry.explaining import Explanation
from coordinator.registry.parked_pages import ParkedMessage, ParkedPage
from coordinator.registry.queue_lines import Line
from coordinator.registry.schedule_rows import Schedule
from coordinator.registry.task_filter import TaskFilter
from coordinator.registry.task_pages import Place, TaskPage
from coordinator.registry.timeline import Timeline
from coordinator.registry.views import AgentView, Statistics, TaskView
from coordinator.submission.batch import Verdict
from coordinator.submission.making import Accepted, SubmitTask
from coordinator.submission.once import Worked

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
    "LooksAtQueues",
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
    """`submission.batch.BatchSubmitter`."""

    async def submit_all(self, commands: Sequence[SubmitTask]) -> Sequence[Verdict]: ...


class DoesOnce(Protocol):
    """`submission.once.Once`."""

    async def run(
        self, key: str, fingerprint: str, work: Callable[[Claim], Awaitable[Worked]]
    ) -> Answered: ...


class Clears(Protocol):
    """`submission.clearer.QueueClearer`."""

    async def clear(self, priority: Priority) -> int: ...


class Cancels(Protocol):
    """`recovery.cancelling.Canceller`."""

    async def cancel(self, task_id: str, reason: str | None = None) -> Cancelled: ...


class DeletesTasks(Protocol):
    """`registry.deletion.TaskDeletion`."""

    async def delete(self, task_id: str) -> None: ...


class ListsDead(Protocol):
    """`registry.dead_tasks.DeadTasks`."""

    async def page(self, wanted: DeadFilter, *, limit: int, cursor: str | None) -> DeadPage: ...


class Redrives(Protocol):
    """`recovery.redriving.Redriver`."""

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


class LooksAtQueues(Protocol):
    """`broker.depths.Depths`."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]: ...


class TellsLines(Protocol):
    """`registry.queue_lines.QueueLines`."""

    async def lines(self) -> Mapping[Source, Line]: ...


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
    """`registry.browsing.Browsing`."""

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

    async def timeline(self, task_id: str, *, after: int | None, limit: int) -> Timeline: ...

    def agents(self, wanted: AgentFilter, *, after: str | None, limit: int) -> AgentPage: ...

    async def parked(self, *, after: int | None, limit: int) -> ParkedPage: ...

    async def parked_message(self, position: int) -> ParkedMessage: ...


class Explains(Protocol):
    """`registry.explaining.Explainer`."""

    async def explain(self, task_id: str) -> Explanation: ...

    async def warning(self, asked: Requirements, task_type: str | None) -> str | None: ...


class KeepsSchedules(Protocol):
    """`registry.schedules.Schedules`."""

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
