"""Agents that sleep at a wake queue, on a real broker. They look for work by themselves so rarely here that
whatever starts was started because somebody was called.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Self

import pytest

from consumers import Agent, RunningAgent, Task
from consumers.agent_timings import AgentTimings
from coordinator.protocol.messages.wake_call import wake_queue
from coordinator.protocol.requirements import ANY_TYPE, Profile
from tests.e2e.processes import spawned
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.serving import serving
from tests.support.waiting import eventually

WAKE = "wake.of-the-test"
RARELY = AgentTimings(shared_look=timedelta(hours=1), longest_nap=timedelta(hours=1))
NORMAL = any_lane("normal")
KIND = Profile(agent_id="", agent_type="worker", task_types=frozenset({ANY_TYPE}))


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path, timings=RARELY, wake_queue=WAKE) as field:
        await field.open(NORMAL)
        yield field


class Holding:
    """Agents whose tasks last until they are released."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.at_work: set[str] = set()
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        await self._open.aclose()

    async def start(self, *agents: Agent) -> None:
        async def enter(agent: Agent) -> None:
            agent_id = agent.options.agent_id

            @agent.default
            async def work(task: Task) -> None:
                self.at_work.add(agent_id)
                await self.release.wait()

            await self._open.enter_async_context(agent.running())

        await asyncio.gather(*(enter(agent) for agent in agents))

    def counts(self, busy: int) -> bool:
        return len(self.at_work) == busy


async def consuming(broker: Broker, queue: str = NORMAL.queue) -> set[str]:
    """Which agents consume it now: those who have left it with a task that runs do not count."""
    found = await broker.management.get("consumers", broker.vhost)
    tags = [one["consumer_tag"] for one in found if one["queue"]["name"] == queue]
    return {tag.rsplit(".", 2)[0] for tag in tags}


async def rests(broker: Broker, agents: int, *, queue: str = WAKE) -> None:
    """Wait until so many sleep, and some of them consume the queue of tasks."""
    await eventually(lambda: _rests(broker, agents, queue), timeout=180)


async def _rests(broker: Broker, agents: int, queue: str) -> bool:
    return await broker.consumers(queue) == agents and bool(await consuming(broker))


async def test_a_burst_wakes_as_many_as_it_has_tasks(field: Field, broker: Broker) -> None:
    count = 60
    async with Holding() as holding:
        await holding.start(*(field.agent(f"worker-{n}") for n in range(count)))
        await rests(broker, count)
        ids = await field.submit_many(NORMAL, count)
        await eventually(lambda: set(ids) == set(field.started()), timeout=60)
        assert len(holding.at_work) == count
    assert len(field.started()) == count


async def test_who_leaves_a_queue_with_a_task_is_replaced_there(
    field: Field, broker: Broker
) -> None:
    async with Holding() as holding:
        await holding.start(*(field.agent(f"worker-{n}") for n in range(9)))
        await rests(broker, 9)
        for busy in range(1, 7):
            await field.submit(NORMAL)
            await eventually(partial(holding.counts, busy), timeout=60)
            # Though RabbitMQ counts those who have left as well, as many as there may be.
            await eventually(lambda: waits(broker, holding), timeout=60)


async def waits(broker: Broker, holding: Holding) -> bool:
    return bool(await consuming(broker) - holding.at_work)


async def test_an_agent_with_slots_to_spare_is_woken_as_well(field: Field, broker: Broker) -> None:
    async with Holding() as holding:
        await holding.start(*(field.agent(f"worker-{n}", slots=4) for n in range(8)))
        await rests(broker, 8)
        await field.submit_many(NORMAL, 32)
        await eventually(lambda: len(set(field.started())) == 32, timeout=60)


async def test_an_agent_hears_of_a_new_queue_in_its_sleep(broker: Broker, tmp_path: Path) -> None:
    async with serving(broker, tmp_path) as service, AsyncExitStack() as stack:
        for number in range(3):
            agent = service.agent(f"worker-{number}")
            agent.configure(timings=RARELY)
            agent.default(lambda task: None)
            await registered(stack, agent)
        await service.post("/tasks/submit", task_data={})
        # Each has looked for the last time before it sleeps when it consumes a queue.
        await eventually(lambda: _consume(broker, 3), timeout=60)
        await eventually(lambda: _sleep(broker, 3), timeout=60)
        for priority in ("low", "urgent"):
            task = await service.post("/tasks/submit", task_data={}, priority=priority)
            await service.ends(task["task_id"])


async def registered(stack: AsyncExitStack, agent: Agent) -> RunningAgent:
    life = await stack.enter_async_context(agent.running())
    await life.registered()
    return life


async def _sleep(broker: Broker, agents: int) -> bool:
    queue = wake_queue(KIND)
    return queue in await broker.queues() and await broker.consumers(queue) == agents


async def test_a_wake_queue_that_is_deleted_is_opened_and_consumed_again(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path) as service, AsyncExitStack() as stack:
        for number in range(3):
            agent = service.agent(f"worker-{number}")
            agent.default(lambda task: None)
            await registered(stack, agent)
        await eventually(lambda: _sleep(broker, 3), timeout=60)
        for _ in range(2):
            await broker.delete_queue(wake_queue(KIND))
            await eventually(lambda: _sleep(broker, 3), timeout=60)
        task = await service.post("/tasks/submit", task_data={})
        await service.ends(task["task_id"])


async def test_agents_do_without_a_wake_queue_that_somebody_declared_otherwise(
    broker: Broker, tmp_path: Path
) -> None:
    queue = {"durable": True, "arguments": {}}
    await broker.management.put("queues", broker.vhost, wake_queue(KIND), body=queue)
    async with serving(broker, tmp_path) as service, AsyncExitStack() as stack:
        agent = service.agent("worker")
        agent.default(lambda task: None)
        life = await registered(stack, agent)
        assert life._fleet.wake_queue is None
        task = await service.post("/tasks/submit", task_data={})
        await service.ends(task["task_id"])


async def test_the_places_of_agents_that_were_killed_are_taken(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        Field(broker.url, tmp_path / "agent-coordinator", wake_queue=WAKE) as field,
        AsyncExitStack() as stack,
        Holding() as holding,
    ):
        await field.open(NORMAL)
        pids = []
        for agent_id in (f"doomed-{number}" for number in range(4)):
            field.agent(agent_id)  # whose registration the process finds
            environment = {
                "E2E_ID": agent_id,
                "XDG_CACHE_HOME": str(tmp_path),
                "COORDINATOR_AMQP_URL": broker.url,
            }
            command = (sys.executable, "-m", "consumers", "tests.e2e.agents:agent")
            output = tmp_path / f"{agent_id}.out"
            process = spawned(*command, output=output, environment=environment)
            pids.append((await stack.enter_async_context(process)).pid)
        await eventually(lambda: _consume(broker, 4), timeout=60)
        await holding.start(*(field.agent(f"worker-{n}") for n in range(3)))
        await eventually(lambda: _asleep(broker, 7), timeout=60)
        await eventually(lambda: _consume(broker, 4), timeout=60)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: _workers_consume(broker), timeout=60)
        await field.submit(NORMAL)
        await eventually(lambda: holding.at_work, timeout=60)


async def _consume(broker: Broker, agents: int) -> bool:
    return len(await consuming(broker)) == agents


async def _asleep(broker: Broker, agents: int) -> bool:
    return await broker.consumers(WAKE) == agents


async def _workers_consume(broker: Broker) -> bool:
    return bool(await consuming(broker)) and all(
        agent.startswith("worker") for agent in await consuming(broker)
    )
