"""Queues that nobody uses are given up, and no task is lost to it, whenever it is submitted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from consumers import Agent, Task
from coordinator.bootstrap import Coordinator, Replacements, Timings, running
from coordinator.broker.broker_lock import held
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection
from coordinator.errors import QueueLocked
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

GPU = {"capabilities": ["gpu"]}
SOURCE = TaskQueue("cap:gpu", Priority.NORMAL)


@dataclass
class Two:
    """Two coordinators on one broker and one ledger, whose queues retire after a moment."""

    coordinators: list[Coordinator]
    clients: list[httpx.AsyncClient]
    ledger: Ledger

    async def submit(self, which: int, requirements: dict[str, list[str]] = GPU) -> httpx.Response:
        body = {"task_data": {}, "requirements": requirements}
        return await self.clients[which].post("/tasks/submit", json=body)

    async def accepted(self, which: int) -> str:
        answer = await self.submit(which)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["task_id"])

    async def count(self, event_type: str) -> int:
        events = schema.events
        query = sa.select(sa.func.count()).where(events.c.type == event_type)
        return await self.ledger.read(
            lambda connection: int(connection.execute(query).scalar_one())
        )

    async def unfinished(self) -> int:
        tasks = schema.tasks
        query = sa.select(sa.func.count()).where(tasks.c.state != "completed")
        return await self.ledger.read(
            lambda connection: int(connection.execute(query).scalar_one())
        )


@pytest.fixture
async def two(broker: Broker, tmp_path: Path) -> AsyncIterator[Two]:
    replacements = Replacements(timings=Timings(retirement_pause=0.1))
    settings = Settings(
        amqp_url=broker.url,
        data_dir=tmp_path,
        max_lanes=1,
        retire_lanes_after=timedelta(seconds=0.4),
        heartbeat_interval=timedelta(seconds=0.5),
    )
    async with AsyncExitStack() as stack:
        coordinators = [
            await stack.enter_async_context(running(settings, replacements)) for _ in range(2)
        ]
        clients = [await stack.enter_async_context(over(one.app)) for one in coordinators]
        ledger = await stack.enter_async_context(Ledger(settings.ledger_place))
        for one in coordinators:
            await one.ready()
        yield Two(coordinators, clients, ledger)


def agent(broker: Broker, folder: Path, may_end: asyncio.Event | None = None) -> Agent:
    agent = Agent(
        "ada", amqp_url=broker.url, cache_dir=folder, capabilities=["gpu", "tpu"], slots=2
    )

    @agent.default
    async def work(task: Task) -> str:
        if may_end is not None:
            await may_end.wait()
        return task.id

    return agent


async def test_a_queue_that_nobody_uses_is_gone_everywhere_and_makes_room_for_another(
    two: Two, broker: Broker, tmp_path: Path
) -> None:
    may_end = asyncio.Event()
    async with agent(broker, tmp_path / "ada", may_end).running() as ada:
        await two.accepted(0)
        assert (await two.submit(1, {})).status_code == 200
        await eventually(lambda: SOURCE in two.coordinators[1].opener._book)
        assert (await two.submit(1, {"capabilities": ["tpu"]})).status_code == 422
        await eventually(lambda: SOURCE in ada._sources)
        may_end.set()

        async def gone() -> bool:
            return SOURCE.queue not in await broker.queues()

        await eventually(gone, timeout=20)
        assert "tasks.any.normal" in await broker.queues()
        for one in two.clients:
            queues = (await one.get("/tasks/queues/stats")).json()["queues"]
            assert [queue["lane"] for queue in queues] == ["any"]
        await eventually(lambda: SOURCE not in ada._sources)
        assert (await two.submit(1, {"capabilities": ["tpu"]})).status_code == 200


@pytest.mark.slow
async def test_no_task_is_lost_that_is_submitted_while_its_queue_retires(
    two: Two, broker: Broker, tmp_path: Path
) -> None:
    """The bursts come when the queue is about to be retired, is retired, or has just been deleted."""
    rng = random.Random(broker.version)
    accepted = 0
    async with agent(broker, tmp_path / "ada").running():
        while await two.count("source.retired") < 12:
            before = await two.count("source.retired")
            burst = await asyncio.gather(*(two.accepted(n % 2) for n in range(rng.randint(1, 6))))
            accepted += len(burst)

            async def retired(before: int = before) -> bool:
                return await two.count("source.retired") > before

            await eventually(retired)
            await asyncio.sleep(rng.uniform(0, 0.3))

        async def all_done() -> bool:
            done = await two.count("task.submitted") == accepted
            return done and await two.unfinished() == 0

        await eventually(all_done, timeout=30)
        assert await two.count("task.started") == accepted


async def test_a_queue_that_somebody_still_consumes_from_is_not_deleted(
    two: Two, broker: Broker
) -> None:
    """An agent in another language that does not leave when it is told to."""
    task_id = await two.accepted(0)
    async with Connection(broker.url, name="another") as connection:
        channel = await (await connection.opened()).channel()
        acks: list[asyncio.Task[None]] = []

        def done(delivery: Delivery) -> None:
            acks.append(asyncio.create_task(delivery.ack()))

        await channel.prefetch(1)
        await channel.consume(SOURCE.queue, done, tag="stays")
        await eventually(lambda: acks)
        assert (await two.clients[1].post(f"/tasks/{task_id}/cancel")).is_success

        async def opened_again() -> bool:
            return await two.count("source.retired") > 1 and await two.count("source.opened") > 2

        await eventually(opened_again)
        assert SOURCE.queue in await broker.queues()


async def test_tasks_whose_queue_was_retired_by_a_coordinator_that_died_then_get_it_back(
    two: Two, broker: Broker, tmp_path: Path
) -> None:
    """Retired in the ledger and in every book, not deleted, and a task on it all the same."""
    task_id = await two.accepted(0)
    for one in two.coordinators:
        one.opener._book.discard(SOURCE)
    forget = schema.sources.delete()

    async def forgotten() -> bool:
        return bool(await two.ledger.write(lambda connection: connection.execute(forget).rowcount))

    await eventually(forgotten)
    async with agent(broker, tmp_path / "ada").running():

        async def done() -> bool:
            task = (await two.clients[1].get(f"/tasks/{task_id}")).json()["task"]
            return bool(task["state"] == "completed")

        await eventually(done, timeout=20)


async def test_a_name_is_held_by_one_connection_until_it_lets_go_or_ends(broker: Broker) -> None:
    async with (
        Connection(broker.url, name="one") as one,
        Connection(broker.url, name="other") as other,
    ):
        mine, theirs = await one.opened(), await other.opened()
        async with held(mine, "name"):
            with pytest.raises(QueueLocked):
                async with held(theirs, "name", patience=0.1):
                    raise AssertionError("held twice")
        async with held(theirs, "name"):
            await theirs.close()
            async with held(await one.opened(), "name", patience=5):
                return
