"""Stand-ins for what the API talks to, where a test is about the shape of answers alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from fastapi import FastAPI

from coordinator.api import EndpointServices, create_app
from coordinator.api.ports.query_ports import Findings
from coordinator.broker.channel import Depth
from coordinator.doctor.checks.finding import Finding
from coordinator.doctor.shared_examination import Examined
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.labels.group_counts import GroupCounts
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State, Task
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import (
    AgentNotFound,
    Conflict,
    GroupNotFound,
    LaneNotFound,
    ScheduleNotFound,
    TaskNotFound,
)
from coordinator.protocol.messages.registration import RegisterRequest
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.recovery.groups.group_canceller import GroupCancelled
from coordinator.recovery.questions.question_answerer import QuestionAnswered
from coordinator.recovery.task_canceller import Cancelled
from coordinator.recovery.task_redriver import Redriven, RedrivenMany
from coordinator.registry.agents.in_memory.agent_view import AgentView
from coordinator.registry.queries.dead_tasks import DeadGroup, DeadPage
from coordinator.registry.queries.explanations.why_waiting import (
    AgentObstacles,
    Explanation,
)
from coordinator.registry.queries.groups.group_progress import GroupWaited, GroupWish
from coordinator.registry.queries.queue_sizes import QueueSizes
from coordinator.registry.queries.queue_statistics import QueueFigures
from coordinator.registry.queries.service_statistics import Statistics
from coordinator.registry.queries.task_view import TaskView
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedule_edits import ScheduleEdit
from coordinator.streaming.event_feed import EventFeed
from coordinator.submission.batch_submitter import Verdict
from coordinator.submission.idempotent_submission import IdempotentSubmission
from coordinator.submission.task_maker import Accepted, SubmitTask
from tests.support.keys import MemoryKeys
from tests.support.recorded import MemoryEvents
from tests.unit.domain.histories import message

from .fake_callbacks import FakeCallbacks
from .fake_pages import FakeBrowsing

__all__ = ["NOW", "TOTALS", "Fakes", "a_task", "an_agent", "over"]

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


async def _nobody() -> None:
    """Nobody folds a log here."""


def an_agent(**changes: Any) -> AgentView:
    return replace(
        AgentView(
            agent_id="hermes-agent",
            agent_type="worker",
            status="active",
            listening=True,
            capabilities=["data-processing", "analysis"],
            services=["task-execution"],
            task_types=["word-count", "any"],
            endpoints={"http": "http://localhost:9002"},
            metadata={"version": "1.0.0"},
            last_heartbeat=NOW,
            registration_time=NOW,
            load_metrics={"cpu_usage": 0.25},
            health_score=1.0,
            version="1.0.0",
            tags=["blue"],
            slots=4,
            free_slots=3,
            running=["task-7"],
            instance=None,
            other_instance=None,
            clock_skew_seconds=None,
        ),
        **changes,
    )


def a_task(**changes: Any) -> TaskView:
    return replace(
        TaskView(
            question=None,
            answers=(),
            task_id="task-1",
            state="completed",
            task_type=None,
            priority=Priority.NORMAL,
            requirements={},
            lane="any",
            task_data={"prompt": "test prompt"},
            metadata=None,
            generation=1,
            attempt=1,
            max_attempts=1,
            submitted_at=NOW,
            not_before=None,
            expires_at=None,
            started_at=NOW,
            ended_at=NOW,
            agent_id="hermes-agent",
            progress=None,
            result={"words": 2},
            error=None,
            submitted_by=None,
            parent_id=None,
            group=None,
            tags=(),
        ),
        **changes,
    )


def a_dead_task() -> Task:
    return Task(
        task_id="task-1",
        state=State.DEAD,
        attempt=3,
        max_attempts=3,
        priority=Priority.NORMAL,
        lane="any",
        task_type="count",
        submitted_at=NOW,
        agent_id="hermes-agent",
        ended_at=NOW,
        error={"type": "ValueError", "message": "no", "retryable": True},
    )


TOTALS = Statistics(
    tasks_distributed=5,
    tasks_completed=3,
    tasks_failed=1,
    avg_distribution_time=0.25,
    total_assignments=4,
    successful_assignments=3,
    failed_assignments=1,
    success_rate=0.75,
    active_agents=2,
    listening_agents=1,
    agent_weights=0,
    avg_agent_load=0.5,
)


class FakeSchedules:
    """Keeps schedules in memory."""

    def __init__(self, fakes: Fakes) -> None:
        self._fakes = fakes
        self._kept: dict[str, RecurringSchedule] = {}

    async def create(self, schedule: RecurringSchedule, *, most: int = 0) -> RecurringSchedule:
        self._fakes.fail()
        if schedule.schedule_id in self._kept:
            raise Conflict("A schedule 'nightly' exists: delete it first, or choose another id")
        kept = replace(schedule, created_at=NOW, next_at=NOW)
        self._kept[schedule.schedule_id] = kept
        return kept

    async def get(self, schedule_id: str) -> RecurringSchedule:
        self._fakes.fail()
        if schedule_id not in self._kept:
            raise ScheduleNotFound(schedule_id)
        return self._kept[schedule_id]

    async def page(self, after: str, limit: int) -> tuple[list[RecurringSchedule], bool]:
        self._fakes.fail()
        found = [self._kept[name] for name in sorted(self._kept) if name > after]
        return found[:limit], len(found) > limit

    async def pause(self, schedule_id: str) -> RecurringSchedule:
        return self._set_paused(await self.get(schedule_id), paused=True)

    async def resume(self, schedule_id: str) -> RecurringSchedule:
        return self._set_paused(await self.get(schedule_id), paused=False)

    def _set_paused(self, found: RecurringSchedule, *, paused: bool) -> RecurringSchedule:
        kept = self._kept[found.schedule_id] = replace(found, paused=paused)
        return kept

    async def edit(self, schedule_id: str, wanted: ScheduleEdit) -> RecurringSchedule:
        found = await self.get(schedule_id)
        told = {one.name: getattr(wanted, one.name) for one in fields(wanted)}
        kept = replace(found, **{name: value for name, value in told.items() if value is not None})
        self._kept[schedule_id] = kept
        return kept

    async def delete(self, schedule_id: str) -> None:
        await self.get(schedule_id)
        del self._kept[schedule_id]


class FakeGroups:
    """Has the group of all tasks that were submitted with it; all are queued until they are cancelled."""

    def __init__(self, fakes: Fakes) -> None:
        self._fakes = fakes
        self._cancelled: set[str] = set()
        self.kept: list[tuple[str, str]] = []
        """Groups of tasks that were submitted before, and by whom."""
        self.asked: list[tuple[LabelFilter, int, str | None, str | None, str | None]] = []

    async def counts(self, group_id: str, *, by: str | None = None) -> GroupCounts:
        self._fakes.fail()
        ours = [
            one
            for one in self._fakes.submitted
            if group_id in (one.group, one.batch) and by in (None, one.submitted_by)
        ]
        kept = [who for group, who in self.kept if group == group_id and by in (None, who)]
        if not ours and not kept:
            raise GroupNotFound(group_id)
        state = State.CANCELLED if group_id in self._cancelled else State.QUEUED
        return GroupCounts.of(group_id, {state.value: len(ours) + len(kept)})

    async def wait(
        self, group_id: str, wish: GroupWish, timeout: timedelta, *, by: str | None = None
    ) -> GroupWaited:
        found = await self.counts(group_id, by=by)
        return GroupWaited(group=found, reached=wish.is_met(found, settled=True))

    async def cancel(
        self,
        wanted: LabelFilter,
        *,
        limit: int,
        own: str | None = None,
        reason: str | None = None,
        by: str | None = None,
    ) -> GroupCancelled:
        self.asked.append((wanted, limit, own, reason, by))
        found = await self.counts(wanted.group or "", by=own)
        self._cancelled.add(found.group_id)
        return GroupCancelled(was={State.QUEUED: found.total - found.ended}, left=0)


class Fakes:
    """Plays every port at once. Set ``failure`` and whatever is asked raises it."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.wrong: list[str] = []
        self.in_the_way: list[str] = []
        self.agents: dict[str, AgentView] = {}
        self.tasks: dict[str, TaskView] = {}
        self.submitted: list[SubmitTask] = []
        self.verdicts: list[Verdict] = []
        self.keys = MemoryKeys()
        self.once = IdempotentSubmission(
            self.keys, longest=timedelta(seconds=5), patience=timedelta()
        )
        self.registered: list[RegisterRequest] = []
        self.beats: list[tuple[str, str | None, dict[str, float] | None]] = []
        self.waiting: dict[str, Depth | None] = {}
        self.in_line: dict[TaskQueue, QueueFigures] = {}
        self.book = TaskQueues()
        self.callbacks = FakeCallbacks(self.fail)
        self.browsing = FakeBrowsing(self.fail, self.agents, self.tasks)
        self.warned: str | None = None
        self.has_queue: bool | None = None
        """What the broker says of the control queue of whoever registers."""
        self.reasons: list[str | None] = []
        self.edits: list[dict[str, Any] | None] = []
        self.filters: list[DeadFilter] = []
        self.cleared: list[Priority] = []
        self.drained: list[str] = []
        self.groups = FakeGroups(self)
        self.events = MemoryEvents()
        self.feed = EventFeed(self.events, follow=_nobody, most=10)
        """Reads nothing by itself: a test that streams what happens runs it."""
        self.asked_by: list[str | None] = []
        """Who cancelled, cleared and redrove, as the endpoints told."""

    def services(self, **changes: Any) -> EndpointServices:
        given: dict[str, Any] = {
            "submitter": self,
            "batches": self,
            "once": self.once,
            "clearer": self,
            "lanes": self,
            "canceller": self,
            "group_canceller": self.groups,
            "groups": self.groups,
            "answerer": self,
            "redriver": self,
            "dead_tasks": self,
            "deletion": self,
            "registry": self,
            "registrar": self,
            "explainer": self,
            "schedules": FakeSchedules(self),
            "callbacks": self.callbacks,
            "browsing": self.browsing,
            "queue_sizes": QueueSizes(book=self.book, depths=self),
            "queue_lines": self,
            "feed": self.feed,
            "version": "1.2.3",
            "examine": self.examine,
            "problems": lambda: self.wrong,
            "obstacles": lambda: self.in_the_way,
        }
        return EndpointServices(**(given | changes))

    def open(self, lane: str, priority: Priority, depth: Depth | None) -> None:
        source = TaskQueue(lane, priority)
        self.book.add(source, Requirements())
        self.waiting[source.queue] = depth

    def fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def submit(self, command: SubmitTask) -> Accepted:
        self.fail()
        self.submitted.append(command)
        return Accepted(task_id="task-1", priority=command.priority, submitted_at=NOW)

    async def check(self, command: SubmitTask) -> None:
        """There is nothing that the fakes would refuse."""

    async def submit_all(self, commands: Sequence[SubmitTask]) -> list[Verdict]:
        self.fail()
        self.submitted += commands
        return [
            self.verdicts.pop(0)
            if self.verdicts
            else Accepted(
                task_id=f"task-{n}",
                priority=wish.priority,
                submitted_at=NOW,
                group=wish.group or wish.batch,
            )
            for n, wish in enumerate(commands, 1)
        ]

    async def clear(self, priority: Priority, *, by: str | None = None) -> int:
        self.fail()
        self.asked_by.append(by)
        self.cleared.append(priority)
        return 7

    async def retire(self, lane: str) -> list[TaskQueue]:
        self.fail()
        found = [task_queue for task_queue in self.book.sources() if task_queue.lane == lane]
        if not found:
            raise LaneNotFound
        return found

    async def cancel(
        self, task_id: str, reason: str | None = None, *, by: str | None = None
    ) -> Cancelled:
        task = await self.task(task_id)
        self.asked_by.append(by)
        self.reasons.append(reason)
        return Cancelled(task_id=task_id, was=State(task.state), cancelled_at=NOW)

    async def answer(
        self, task_id: str, answer: Any, *, question_id: str | None = None, by: str | None = None
    ) -> QuestionAnswered:
        await self.task(task_id)
        self.asked_by.append(by)
        return QuestionAnswered(
            task_id=task_id, question_id=question_id or "1", released=False, answered_at=NOW
        )

    async def delete(self, task_id: str) -> None:
        await self.task(task_id)
        del self.tasks[task_id]

    async def redrive(
        self,
        task_id: str,
        *,
        task_data: dict[str, Any] | None = None,
        delay: timedelta = timedelta(),
        by: str | None = None,
    ) -> Redriven:
        task = await self.task(task_id)
        self.asked_by.append(by)
        self.edits.append(task_data)
        again = message(task_id, 2, task_data=task.task_data if task_data is None else task_data)
        return Redriven(
            task_id=task_id, generation=2, was=State(task.state), due=NOW + delay, task=again
        )

    async def redrive_dead(
        self,
        wanted: DeadFilter,
        *,
        rate: float | None,
        limit: int,
        dry_run: bool = False,
        by: str | None = None,
    ) -> RedrivenMany:
        self.fail()
        self.asked_by.append(by)
        self.filters.append(wanted)
        redriven = 0 if dry_run else min(limit, 3)
        due = None if dry_run else NOW + timedelta(seconds=0 if rate is None else redriven / rate)
        return RedrivenMany(matched=3, redriven=redriven, last_due=due)

    async def page(self, wanted: DeadFilter, *, limit: int, cursor: str | None) -> DeadPage:
        self.fail()
        self.filters.append(wanted)
        group = DeadGroup(error_type="ValueError", count=3, first_at=NOW, last_at=NOW)
        tasks = [a_dead_task() for _ in range(min(limit, 3))]
        return DeadPage(total=3, groups=[group], tasks=tasks, next_cursor=cursor)

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        self.fail()
        return {queue: self.waiting[queue] for queue in queues}

    async def lines(self) -> dict[TaskQueue, QueueFigures]:
        self.fail()
        return self.in_line

    async def agent(self, agent_id: str) -> AgentView:
        self.fail()
        if agent_id not in self.agents:
            raise AgentNotFound(agent_id)
        return self.agents[agent_id]

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
        self.fail()
        return list(self.agents.values())

    async def task(self, task_id: str) -> TaskView:
        self.fail()
        if task_id not in self.tasks:
            raise TaskNotFound(task_id)
        return self.tasks[task_id]

    async def explain(self, task_id: str) -> Explanation:
        return Explanation(
            task=await self.task(task_id),
            why="No agent that is registered now may do it; 2 tasks of its lane are ahead of it.",
            ahead={"urgent": 0, "normal": 2},
            able=[],
            able_count=0,
            unable=[
                AgentObstacles(
                    agent_id="ada", status="active", why_not=["it lacks the service 'x'"]
                )
            ],
            unable_count=1,
            warnings=["No agent that ever registered has the service 'x'."],
        )

    async def warning(self, asked: Requirements, task_type: str | None) -> str | None:
        del asked, task_type
        return self.warned

    async def examine(self) -> Findings:
        self.fail()
        return Examined(findings=[Finding.ok("version", "RabbitMQ 4.3.0")], seconds_ago=3.0)

    async def statistics(self) -> Statistics:
        self.fail()
        return TOTALS

    async def register_over_http(
        self, request: RegisterRequest, *, by: str | None, most: int
    ) -> tuple[datetime, bool | None]:
        self.fail()
        self.registered.append(request)
        self.agents[request.agent_id] = an_agent(agent_id=request.agent_id)
        return NOW, self.has_queue

    async def heartbeat(
        self, agent_id: str, *, status: str | None, load_metrics: dict[str, float] | None
    ) -> datetime:
        await self.agent(agent_id)
        self.beats.append((agent_id, status, load_metrics))
        return NOW

    async def set_status(
        self, agent_id: str, status: str, load_metrics: dict[str, float] | None
    ) -> datetime:
        await self.agent(agent_id)
        self.beats.append((agent_id, status, load_metrics))
        return NOW

    async def drain(self, agent_id: str) -> tuple[datetime, bool]:
        await self.agent(agent_id)
        self.drained.append(agent_id)
        return NOW, True

    async def remove(self, agent_id: str) -> None:
        await self.agent(agent_id)
        del self.agents[agent_id]

    def app(self, **changes: Any) -> FastAPI:
        return create_app(self.services(**changes))


def over(app: FastAPI) -> httpx.AsyncClient:
    """A client that calls the application without a network."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
    )
