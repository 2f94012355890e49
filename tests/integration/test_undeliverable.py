"""A message that the broker cannot deliver: it ends the connection of whoever reads the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from consumers.agent_timings import AgentTimings
from coordinator.bootstrap import Replacements, running
from coordinator.broker.connection import Connection
from coordinator.broker.connection_timings import ConnectionTimings
from coordinator.broker.publisher import Publisher
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, LedgerMarked
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import EVENTS, LOG, UNROUTED, WORK
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.doctor import Doctor
from tests.support.hanging_up import HangingUp, hanging_up
from tests.support.serving import serving
from tests.support.waiting import eventually

MARK = Event(data=LedgerMarked())
"""Something to be read that changes nothing."""


@pytest.fixture
async def front(broker: Broker) -> AsyncIterator[HangingUp]:
    async with hanging_up(broker.url) as front:
        yield front


async def publish(broker: Broker, *, exchange: str, key: str) -> None:
    async with (
        Connection(broker.url, name=broker.name) as connection,
        Publisher(connection) as publisher,
    ):
        await publisher.ready()
        await publisher.publish(encode(MARK), exchange=exchange, key=key, mandatory=True)


@pytest.mark.parametrize(
    ("queue", "exchange", "key"),
    [(LOG, EVENTS, routing_key(MARK.data)), (UNROUTED, WORK, "nowhere")],
)
async def test_it_is_told_which_queue_it_is_and_what_to_do_until_it_can_be_read(
    broker: Broker,
    front: HangingUp,
    tmp_path: Path,
    queue: str,
    exchange: str,
    key: str,
) -> None:
    doctor = Doctor(broker, tmp_path)
    settings = Settings(amqp_url=front.url, data_dir=tmp_path)
    replacements = Replacements(
        connect=partial(Connection, timings=ConnectionTimings(longest_pause=0.5))
    )
    async with running(settings, replacements) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()

        async def problems() -> str:
            return " ".join((await http.get("/health")).json().get("problems", []))

        async def well() -> bool:
            return not await problems()

        await eventually(well)
        front.queue = queue
        front.cut()
        await publish(broker, exchange=exchange, key=key)

        async def told() -> bool:
            return f"ends the connection whenever {queue} is read" in await problems()

        await eventually(told, timeout=60)
        assert front.times > 1
        assert "update RabbitMQ" in await problems()
        fix = await doctor.finds("log", f"whenever {queue} is read")
        assert "its own log says why" in fix
        _, findings = await doctor.visit()
        assert not any("No coordinator reads the log: " in one["text"] for one in findings["log"])

        front.queue = None
        await eventually(well, timeout=60)
        await doctor.finds_no_problem()


async def test_an_agent_leaves_such_a_queue_alone_says_so_and_does_what_is_on_the_others(
    broker: Broker, front: HangingUp, tmp_path: Path
) -> None:
    done: list[str] = []
    starts: list[str] = []
    may_end = asyncio.Event()

    async with serving(broker, tmp_path) as service:
        stuck = await service.submit(priority=Priority.HIGH)
        others = [await service.submit(task_data={"n": n}) for n in range(3)]
        front.queue = "tasks.any.high"
        agent = Agent("ada", amqp_url=front.url, cache_dir=tmp_path / "ada", slots=2)
        agent.configure(timings=AgentTimings(connection=ConnectionTimings(first_rest=2.0)))

        @agent.default
        async def work(task: Task) -> None:
            starts.append(task.id)
            if task.id == others[0]:
                await may_end.wait()
            done.append(task.id)

        async def ada() -> dict[str, Any]:
            found: dict[str, Any] = (await service.http.get("/agents/ada")).json().get("agent", {})
            return found

        async def told() -> bool:
            problems = (await ada()).get("metadata", {}).get("problems", [])
            return any("whenever tasks.any.high is read" in one for one in problems)

        async def well() -> bool:
            agent = await ada()
            return agent["status"] == "active" and "problems" not in agent["metadata"]

        async with agent.running():
            await eventually(lambda: {*others[1:]} <= {*done}, timeout=30)
            await eventually(told)
            assert (await ada())["status"] == "degraded"
            assert stuck not in done
            front.queue = None
            may_end.set()
            await eventually(lambda: {stuck, *others} == {*done}, timeout=60)
            await eventually(well)


async def test_clearing_such_a_queue_is_refused_after_some_tries_and_costs_no_connection_any_more(
    broker: Broker, front: HangingUp, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=front.url, data_dir=tmp_path)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        body: dict[str, Any] = {"task_data": {}}
        assert (await http.post("/tasks/submit", json=body)).status_code == 200
        front.queue = "tasks.any.normal"

        async def cleared() -> str:
            return (await http.post("/tasks/queues/normal/clear")).text

        async def told() -> bool:
            return "ends the connection whenever tasks.any.normal is read" in await cleared()

        await eventually(told, timeout=60)
        times = front.times
        assert await told()
        assert front.times == times
        assert "tasks.any.normal" in " ".join((await http.get("/health")).json()["problems"])
