"""What goes wrong and is put right, on the whole service with real agents and a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from consumers import Discard, RetryLater, Task
from coordinator.broker.connection import Connection
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.tables import schema
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

GPU = Requirements(capabilities=("gpu",))


@pytest.fixture
async def service(broker: Broker, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(broker, tmp_path) as service:
        yield service


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


def of_type(task_type: str) -> dict[str, Any]:
    """A task on the lane of its type."""
    return {"task_data": {"task_type": task_type}, "requirements": {"task_type": task_type}}


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
        spent = await service.submit(**of_type("always"), max_attempts=2)
        given_up = await service.submit(**of_type("hopeless"))
        task = await service.ends(spent)
        assert (task["state"], task["attempt"]) == ("dead", 2)
        assert task["error"]["message"] == "attempt 2"
        task = await service.ends(given_up)
        assert (task["state"], task["attempt"]) == ("dead", 1)


async def test_an_agent_in_another_language_retries_by_rejecting(service: Service) -> None:
    task_id = await service.submit(max_attempts=2)
    queue = TaskQueue("any", Priority.NORMAL).queue
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


async def test_a_task_is_cancelled_in_every_state_and_the_answer_tells_which(
    service: Service,
) -> None:
    agent = service.agent(slots=2)
    runs: list[str] = []
    stopped: list[str] = []

    @agent.task("fails")
    async def fails(_: Task) -> None:
        raise RetryLater(after=3600)

    @agent.default
    async def work(task: Task) -> None:
        runs.append(task.id)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopped.append(task.id)
            raise

    async def is_cancelled(task_id: str, was: str) -> None:
        answer = await service.post(f"/tasks/{task_id}/cancel", reason="by mistake")
        assert answer["was"] == was
        task = await service.task(task_id)
        assert (task["state"], task["error"]["type"]) == ("cancelled", "Cancelled")
        assert task["error"]["message"] == "by mistake"
        again = await service.http.post(f"/tasks/{task_id}/cancel")
        assert again.status_code == 409
        assert "cancelled already" in again.json()["detail"]

    soon = datetime.now(UTC) + timedelta(seconds=5)
    scheduled = await service.submit(log_alone=True, not_before=soon)
    await is_cancelled(scheduled, "scheduled")
    queued = await service.submit(requirements=GPU.as_dict())
    offline = await service.submit()
    assert (await service.post(f"/tasks/{offline}/cancel"))["was"] == "queued"
    async with agent.running():
        running = await service.submit()
        waiting = await service.submit(task_data={"task_type": "fails"})
        await service.becomes(running, "running")
        await service.becomes(waiting, "waiting")
        await is_cancelled(queued, "queued")
        await is_cancelled(running, "running")
        await is_cancelled(waiting, "waiting")
        await eventually(lambda: running in stopped)
        last = await service.submit()  # its turn is after the one that was cancelled in the queue
        await eventually(lambda: last in runs)
        await eventually(lambda: datetime.now(UTC) > soon + timedelta(seconds=1))
        assert scheduled not in runs
        assert not set(runs) - {running, last, offline}
        if offline in runs:
            await eventually(lambda: offline in stopped)
        assert (await service.task(offline))["state"] == "cancelled"
        await service.post(f"/tasks/{last}/cancel")
    assert await service.stored(sa.select(schema.outbox)) == []
    assert (await service.http.post("/tasks/nobody/cancel")).status_code == 404


async def test_dead_tasks_are_listed_by_error_and_tried_again(service: Service) -> None:
    agent = service.agent(slots=4)
    mended: list[str] = []

    @agent.default
    async def work(task: Task) -> Any:
        if not mended:
            raise ValueError(task.id)
        return task.data

    @agent.task("other")
    async def other(_: Task) -> None:
        raise Discard("no")

    async with agent.running():
        ids = [await service.submit(max_attempts=1, task_data={"n": n}) for n in range(5)]
        odd = await service.submit(task_data={"task_type": "other"})
        for task_id in (*ids, odd):
            await service.becomes(task_id, "dead")
        found = await service.dead()
        assert found["total"] == 6
        assert {group["error_type"]: group["count"] for group in found["groups"]} == {
            "ValueError": 5,
            "Discard": 1,
        }
        pages = await service.dead_ids(error_type="ValueError", limit=2)
        assert sorted(pages) == sorted(ids)
        assert len(pages) == 5
        wrong = await service.http.get("/tasks/dead", params={"cursor": "x"})
        assert wrong.status_code == 422
        assert (await service.dead(task_type="other"))["tasks"][0]["task_id"] == odd
        assert (await service.dead(lane="cap:gpu"))["total"] == 0
        assert (await service.dead(submitted_before="2020-01-01"))["total"] == 0
        failed = (await service.http.get("/tasks/status")).json()["stats"]
        assert failed["tasks_failed"] == 6

        mended.append("now")
        edited, *rest = ids
        answers = await asyncio.gather(
            *(
                service.http.post(f"/tasks/{edited}/retry", json={"task_data": {"n": "new"}})
                for _ in range(3)
            )
        )
        assert {answer.status_code for answer in answers} <= {200, 409}
        task = await service.becomes(edited, "completed")
        assert (task["generation"], task["attempt"]) == (2, 1)
        assert task["task_data"] == task["result"] == {"n": "new"}
        assert (await service.http.post(f"/tasks/{edited}/retry")).status_code == 409

        dry = await service.post("/tasks/dead/redrive", error_type="ValueError", dry_run=True)
        assert (dry["matched"], dry["redriven"]) == (4, 0)
        started = datetime.now(UTC)
        done = await service.post(
            "/tasks/dead/redrive", error_type="ValueError", rate_per_second=4, limit=3
        )
        assert (done["matched"], done["redriven"]) == (4, 3)
        last_due = datetime.fromisoformat(done["last_due_at"])
        assert timedelta(seconds=0.4) < last_due - started < timedelta(seconds=2)

        async def three_are_done() -> bool:
            states = [(await service.task(task_id))["state"] for task_id in rest]
            return sorted(states) == ["completed"] * 3 + ["dead"]

        await eventually(three_are_done)
        stats = (await service.http.get("/tasks/status")).json()["stats"]
        assert (stats["tasks_completed"], stats["tasks_failed"]) == (4, 2)
        assert stats["tasks_distributed"] == 6
        assert (await service.http.delete(f"/tasks/{odd}")).status_code == 200
        assert (await service.http.get(f"/tasks/{odd}")).status_code == 404
        assert (await service.http.get("/tasks/status")).json()["stats"] == stats


async def test_a_cancelled_task_is_tried_again_after_a_delay_and_cancelled_meanwhile(
    service: Service,
) -> None:
    task_id = await service.submit(expires_at=datetime.now(UTC) + timedelta(hours=1))
    await service.post(f"/tasks/{task_id}/cancel")
    answer = await service.post(f"/tasks/{task_id}/retry", delay_seconds=3600)
    assert (answer["was"], answer["generation"]) == ("cancelled", 2)
    assert (await service.task(task_id))["state"] == "scheduled"
    again = await service.post(f"/tasks/{task_id}/cancel")
    assert again["was"] == "scheduled"
    task = await service.task(task_id)
    assert (task["state"], task["generation"]) == ("cancelled", 2)


async def test_a_task_that_nobody_starts_in_time_expires_and_may_be_tried_again(
    service: Service,
) -> None:
    answer = await service.post("/tasks/submit", task_data={}, expires_in_seconds=0.5)
    task_id = answer["task_id"]
    task = await service.becomes(task_id, "expired")
    assert task["error"]["type"] == "Expired"
    agent = service.agent()
    runs: list[int] = []

    @agent.default
    async def work(task: Task) -> None:
        runs.append(task.attempt)

    async with agent.running():
        await service.post(f"/tasks/{task_id}/retry")
        await service.becomes(task_id, "completed")
    assert runs == [1]
    assert (await service.task(task_id))["generation"] == 2
