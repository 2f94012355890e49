"""What goes wrong and is put right, on the whole service with real agents and a real broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from consumers import Agent, Discard, RetryLater, Task
from coordinator.bootstrap import Coordinator, running
from coordinator.broker.connection import Connection
from coordinator.protocol.ids import new_id
from coordinator.protocol.lanes import Source
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task import Backoff, TaskMessage
from coordinator.protocol.token import task_token
from coordinator.protocol.topology import LOG, TASKS
from coordinator.registry import schema
from coordinator.registry.ledger import Ledger
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

SECRET = "a secret of the tests"
GPU = Requirements(capabilities=("gpu",))
QUICK = Backoff(first_seconds=0.1)


@dataclass
class Service:
    """A coordinator, one client of it and the address of what it uses."""

    coordinator: Coordinator
    http: httpx.AsyncClient
    broker: Broker
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def agent(self, agent_id: str = "ada", **options: Any) -> Agent:
        return Agent(
            agent_id, amqp_url=self.broker.url, cache_dir=self.folder / agent_id, **options
        )

    async def submit(self, *, log_alone: bool = False, **fields: Any) -> str:
        """A task with whatever a task message can have."""
        task_id = new_id()
        given: dict[str, Any] = {
            "task_id": task_id,
            "task_data": {},
            "priority": Priority.NORMAL,
            "submitted_at": datetime.now(UTC),
            "max_attempts": 3,
            "backoff": QUICK,
            "task_token": task_token(SECRET.encode(), task_id, 1, 1),
        }
        task = TaskMessage(**(given | fields))
        await self.coordinator.opener.ensure(task.source, task.wanted)
        exchange, key = ("", LOG) if log_alone else (TASKS, task.source.key)
        await self.coordinator.publisher.publish(task.to_message(), exchange=exchange, key=key)
        self.coordinator.registry.note_submitted(task)
        return task_id

    async def task(self, task_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["task"]
        return found

    async def ends(self, task_id: str) -> dict[str, Any]:
        async def ended() -> dict[str, Any] | None:
            task = await self.task(task_id)
            return task if task["ended_at"] else None

        return await eventually(ended)

    async def becomes(self, task_id: str, state: str) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            task = await self.task(task_id)
            return task if task["state"] == state else None

        return await eventually(there)

    async def stored(self, query: sa.Select[Any]) -> list[Any]:
        """Asked of the ledger itself."""
        async with Ledger(f"sqlite:///{self.folder / 'ledger.sqlite3'}") as ledger:
            return list(await ledger.read(lambda connection: connection.execute(query).all()))


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Service]:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, secret=SECRET)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        yield Service(coordinator, http, broker, tmp_path)


async def test_a_failed_attempt_is_followed_by_another_on_the_same_queue(
    service: Service,
) -> None:
    agent = service.agent(capabilities=["gpu"])
    seen: list[tuple[int, str]] = []

    @agent.default
    async def work(task: Task) -> int:
        seen.append((task.attempt, task.priority))
        if task.attempt == 1:
            raise ValueError("not this time")
        if task.attempt == 2:
            raise RetryLater("not yet", after=0.3)
        return task.attempt

    async with agent.running():
        task_id = await service.submit(requirements=GPU.as_dict(), priority=Priority.HIGH)
        task = await service.ends(task_id)

    assert (task["state"], task["result"], task["attempt"]) == ("completed", 3, 3)
    assert task["lane"] == "cap:gpu"
    assert seen == [(1, "high"), (2, "high"), (3, "high")]
    events = schema.events.c
    query = sa.select(events.data).where(events.subject == task_id, events.type == "task.failed")
    first, second = [row.data for row in await service.stored(query.order_by(events.position))]
    assert '"type":"ValueError"' in first
    assert "not this time" in first
    assert "traceback" in first
    assert '"message":"not yet"' in second
    assert "traceback" not in second
    assert (await service.http.get("/tasks/status")).json()["stats"]["tasks_failed"] == 0
    assert await service.stored(sa.select(schema.outbox)) == []


async def test_attempts_are_spent_or_a_handler_gives_up_and_the_task_is_dead(
    service: Service,
) -> None:
    agent = service.agent()

    @agent.task("always")
    async def always(task: Task) -> None:
        raise ValueError(f"attempt {task.attempt}")

    @agent.task("hopeless")
    async def hopeless(_: Task) -> None:
        raise Discard("there is no such file")

    async with agent.running():
        spent = await service.submit(task_data={"task_type": "always"}, max_attempts=2)
        given_up = await service.submit(task_data={"task_type": "hopeless"})
        task = await service.ends(spent)
        assert (task["state"], task["attempt"]) == ("dead", 2)
        assert task["error"]["message"] == "attempt 2"
        task = await service.ends(given_up)
        assert (task["state"], task["attempt"]) == ("dead", 1)


async def test_an_agent_in_another_language_retries_by_rejecting(service: Service) -> None:
    task_id = await service.submit(max_attempts=2)
    queue = Source("any", Priority.NORMAL).queue
    async with Connection(service.broker.url, name="another language") as connection:
        channel = await (await connection.opened_or_refused()).channel()
        for attempt in (1, 2):
            delivery = await eventually(lambda: channel.get(queue))
            assert TaskMessage.from_message(delivery.message).attempt == attempt
            await delivery.reject()
    task = await service.ends(task_id)
    assert (task["state"], task["error"]["type"]) == ("dead", "Rejected")


async def test_a_scheduled_task_runs_on_time(service: Service) -> None:
    agent = service.agent()
    started: list[datetime] = []

    @agent.default
    async def work(_: Task) -> None:
        started.append(datetime.now(UTC))

    async with agent.running():
        due = datetime.now(UTC) + timedelta(seconds=1.2)
        task_id = await service.submit(log_alone=True, not_before=due)
        assert (await service.task(task_id))["state"] == "scheduled"
        await service.becomes(task_id, "completed")
    assert due <= started[0] <= due + timedelta(seconds=1.5)
