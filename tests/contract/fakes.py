"""Stand-ins for what the API talks to, where a test is about the shape of answers alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI

from coordinator.api import QueueSizes, Services, create_app
from coordinator.broker.channel import Depth
from coordinator.domain.source_book import SourceBook
from coordinator.errors import AgentNotFound, TaskNotFound
from coordinator.protocol.lanes import Source
from coordinator.protocol.priority import Priority
from coordinator.protocol.registration import RegisterRequest
from coordinator.protocol.requirements import Requirements
from coordinator.submission.submitter import Accepted, SubmitTask

__all__ = ["NOW", "ATask", "AnAgent", "Fakes", "over"]

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnAgent:
    agent_id: str = "hermes-agent"
    agent_type: str = "worker"
    status: str = "active"
    capabilities: Sequence[str] = ("data-processing", "analysis")
    services: Sequence[str] = ("task-execution",)
    endpoints: dict[str, str] = field(default_factory=lambda: {"http": "http://localhost:9002"})
    metadata: dict[str, Any] = field(default_factory=lambda: {"version": "1.0.0"})
    last_heartbeat: datetime = NOW
    registration_time: datetime = NOW
    load_metrics: dict[str, float] = field(default_factory=dict)
    health_score: float = 1.0
    version: str = "1.0.0"
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ATask:
    task_id: str = "task-1"
    state: str = "completed"
    priority: Priority = Priority.NORMAL
    requirements: dict[str, Any] = field(default_factory=dict)
    lane: str = "any"
    task_data: dict[str, Any] = field(default_factory=lambda: {"prompt": "test prompt"})
    metadata: dict[str, Any] | None = None
    generation: int = 1
    attempt: int = 1
    max_attempts: int = 1
    submitted_at: datetime = NOW
    started_at: datetime | None = NOW
    ended_at: datetime | None = NOW
    agent_id: str | None = "hermes-agent"
    progress: Any = None
    result: Any = field(default_factory=lambda: {"words": 2})
    error: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SomeTotals:
    tasks_distributed: int = 5
    tasks_completed: int = 3
    tasks_failed: int = 1
    avg_distribution_time: float = 0.25
    total_assignments: int = 4
    successful_assignments: int = 3
    failed_assignments: int = 1
    success_rate: float = 0.75
    active_agents: int = 2
    agent_weights: int = 0
    avg_agent_load: float = 0.5


class Fakes:
    """Plays every port at once. Set ``failure`` and whatever is asked raises it."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.wrong: list[str] = []
        self.agents: dict[str, AnAgent] = {}
        self.tasks: dict[str, ATask] = {}
        self.submitted: list[SubmitTask] = []
        self.registered: list[RegisterRequest] = []
        self.beats: list[tuple[str, str | None, dict[str, float] | None]] = []
        self.waiting: dict[str, Depth | None] = {}
        self.book = SourceBook()

    def services(self, **changes: Any) -> Services:
        given: dict[str, Any] = {
            "submitter": self,
            "clearer": self,
            "registry": self,
            "registrar": self,
            "queue_sizes": QueueSizes(book=self.book, depths=self),
            "version": "1.2.3",
            "problems": lambda: self.wrong,
        }
        return Services(**(given | changes))

    def open(self, lane: str, priority: Priority, depth: Depth | None) -> None:
        source = Source(lane, priority)
        self.book.add(source, Requirements())
        self.waiting[source.queue] = depth

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def submit(self, command: SubmitTask) -> Accepted:
        self._fail()
        self.submitted.append(command)
        return Accepted(task_id="task-1", priority=command.priority, submitted_at=NOW)

    async def clear(self, priority: Priority) -> int:
        self._fail()
        return 7

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        self._fail()
        return {queue: self.waiting[queue] for queue in queues}

    def agent(self, agent_id: str) -> AnAgent:
        self._fail()
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
    ) -> list[AnAgent]:
        self._fail()
        return list(self.agents.values())

    async def task(self, task_id: str) -> ATask:
        self._fail()
        if task_id not in self.tasks:
            raise TaskNotFound(task_id)
        return self.tasks[task_id]

    async def statistics(self) -> SomeTotals:
        self._fail()
        return SomeTotals()

    async def register(self, request: RegisterRequest) -> datetime:
        self._fail()
        self.registered.append(request)
        self.agents[request.agent_id] = AnAgent(agent_id=request.agent_id)
        return NOW

    async def heartbeat(
        self, agent_id: str, *, status: str | None, load_metrics: dict[str, float] | None
    ) -> datetime:
        self.agent(agent_id)
        self.beats.append((agent_id, status, load_metrics))
        return NOW

    async def set_status(
        self, agent_id: str, status: str, load_metrics: dict[str, float] | None
    ) -> datetime:
        self.agent(agent_id)
        self.beats.append((agent_id, status, load_metrics))
        return NOW

    async def remove(self, agent_id: str) -> None:
        self.agent(agent_id)
        del self.agents[agent_id]

    def app(self, **changes: Any) -> FastAPI:
        return create_app(self.services(**changes))


def over(app: FastAPI) -> httpx.AsyncClient:
    """A client that calls the application without a network."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
    )
