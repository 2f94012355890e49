"""An agent that is to stop gives back what only waits for others, however long they take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Task
from consumers.agent_timings import AgentTimings
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")

IMPATIENT = AgentTimings(flush_timeout=timedelta(milliseconds=300))


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path, timings=IMPATIENT) as field:
        await field.open(NORMAL)
        yield field


def submits(agent: Agent) -> None:
    @agent.default
    async def handler(task: Task) -> None:
        await task.submit({"task_type": "mail"})


def submits_in_a_thread(agent: Agent) -> None:
    @agent.default
    def handler(task: Task) -> None:
        task.submit({"task_type": "mail"})


def submits_many(agent: Agent) -> None:
    @agent.default
    async def handler(task: Task) -> None:
        await asyncio.gather(*(task.submit({"page": page}) for page in range(200)))


def asks(agent: Agent) -> None:
    @agent.default
    async def handler(task: Task) -> Any:
        return await task.ask("May it?")


@pytest.mark.parametrize("with_handler", [submits, submits_in_a_thread, submits_many, asks])
async def test_a_task_whose_handler_waits_for_an_answer_goes_back_while_no_coordinator_runs(
    field: Field, with_handler: Callable[[Agent], None]
) -> None:
    agent = field.agent("worker-1", serves=[NORMAL])
    with_handler(agent)
    async with asyncio.timeout(120):
        async with agent.running() as running:
            task_id = await field.submit(NORMAL)
            await eventually(lambda: field.started() == [task_id])
            running.drain()
    assert not field.ended()
    await eventually(lambda: field.waits(NORMAL, 1))


async def test_a_handler_that_works_is_waited_for(field: Field) -> None:
    agent = field.agent("worker-1", serves=[NORMAL])
    release = asyncio.Event()

    @agent.default
    async def work(task: Task) -> None:
        await release.wait()

    async with agent.running() as running:
        task_id = await field.submit(NORMAL)
        await eventually(lambda: field.started() == [task_id])
        loop = asyncio.get_running_loop()
        running.drain()
        loop.call_later(5 * IMPATIENT.flush_timeout.total_seconds(), release.set)
    await field.all_ended([task_id])
