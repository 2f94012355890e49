"""The promises of the fetch loop: strict priority, late binding, short tasks behind slow ones.

Bounds are stated here and asserted: what was already in hand, and one poll of a resting agent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, RunningAgent, Task
from consumers._fetching.fetch_policy import LONGEST_PAUSE
from coordinator.protocol.messages.events import TaskCompleted, TaskDeadLettered
from coordinator.protocol.task_queue import TaskQueue
from tests.support.broker import Broker
from tests.support.field import Field, any_lane, lane
from tests.support.waiting import eventually

pytestmark = pytest.mark.alone

PRIORITIES = ("urgent", "critical", "high", "normal", "low")
POLL = LONGEST_PAUSE + 0.5
"""Seconds: the longest nap of a resting agent, and what a busy machine adds to it."""


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path) as field:
        await field.open(*(any_lane(priority) for priority in PRIORITIES))
        yield field


@pytest.fixture
def counts() -> list[int]:
    """The `x-delivery-count` of every message that reached an agent `at_work`."""
    return []


def at_work(agent: Agent, counts: list[int]) -> RunningAgent:
    """The agent, whose deliveries are counted once it is entered."""
    life = agent.running()
    life._executor.on_delivery = lambda delivery: counts.append(delivery.delivery_count)
    return life


def sleeper(field: Field, agent_id: str, **options: Any) -> Agent:
    """An agent whose tasks say how many seconds they last."""
    agent = field.agent(agent_id, **options)

    @agent.default
    async def work(task: Task) -> float:
        began = time.monotonic()
        if seconds := task.data.get("seconds", 0):
            await asyncio.sleep(seconds)
        return began

    return agent


@asynccontextmanager
async def fleet(
    agents: list[Agent], counts: list[int] | None = None
) -> AsyncIterator[list[RunningAgent]]:
    """All of them at work; in the end they stop together and give back what they run."""
    counted = [] if counts is None else counts
    lives = [at_work(agent, counted) for agent in agents]
    await asyncio.gather(*(life.__aenter__() for life in lives))
    try:
        yield lives
    finally:
        for life in lives:
            life.hurry()
        await asyncio.gather(*(life.__aexit__(None, None, None) for life in lives))


@pytest.mark.slow
async def test_an_urgent_task_behind_ten_thousand_low_ones_starts_on_the_next_free_slot(
    field: Field, counts: list[int]
) -> None:
    low = await field.submit_many(any_lane("low"), 10_000, seconds=0.02)
    async with at_work(sleeper(field, "worker-1", slots=2), counts) as life:
        await eventually(lambda: len(field.started()) >= 20)
        before = len(field.started())
        urgent = await field.submit(any_lane("urgent"), seconds=0.02)
        await eventually(lambda: urgent in field.started())
        started, most = field.started(), max(counts)
        life.hurry()
    # In hand when it arrived: what ran, what had been seen less than a moment ago, and those whose
    # events were on their way here.
    passed_by = started.index(urgent) - before
    assert passed_by <= 8, f"{passed_by} of low priority were started first"
    assert set(started) - {urgent} <= set(low)
    assert most == 0


async def test_every_priority_is_served_in_order(field: Field) -> None:
    ids = {
        priority: await field.submit_many(any_lane(priority), 20, seconds=0.005)
        for priority in reversed(PRIORITIES)
    }
    everything = [task_id for some in ids.values() for task_id in some]
    async with sleeper(field, "worker-1", slots=1).running():
        await field.all_ended(everything)
    order = [
        next(priority for priority in PRIORITIES if task_id in ids[priority])
        for task_id in field.started()
    ]
    assert order == sorted(order, key=PRIORITIES.index)


async def test_an_urgent_task_reaches_the_one_idle_agent_of_thirty_one(
    field: Field, counts: list[int]
) -> None:
    async with fleet([sleeper(field, f"worker-{number}") for number in range(31)], counts):
        busy = await field.submit_many(any_lane("normal"), 30, seconds=30)
        await eventually(lambda: set(busy) <= set(field.started()), timeout=30)
        for _ in range(3):
            began = time.monotonic()
            urgent = await field.submit(any_lane("urgent"))
            await field.all_ended([urgent])
            assert time.monotonic() - began < POLL
    assert max(counts) <= 2


async def test_nothing_waits_behind_an_agent_on_a_long_task(field: Field) -> None:
    async with fleet([sleeper(field, "one"), sleeper(field, "two")]):
        long = await field.submit(any_lane("normal"), seconds=30)
        await eventually(lambda: field.started() == [long])
        began = time.monotonic()
        short = [await field.submit(any_lane(priority)) for priority in PRIORITIES * 4]
        await field.all_ended(short)
        assert time.monotonic() - began < POLL


@pytest.mark.slow
async def test_slow_tasks_do_not_slow_the_short_ones_behind_them(field: Field) -> None:
    count, slots = 8_000, 4
    low = any_lane("low")

    async def drained(slow: int) -> float:
        slow_ones = await field.submit_many(low, slow, seconds=0.5)
        short_ones = await field.submit_many(low, count)
        done = len(field.heard(TaskCompleted)) + slow + count
        async with sleeper(field, "worker-1", slots=slots).running():
            await eventually(field.started, timeout=60)
            began = time.monotonic()
            await eventually(lambda: len(field.heard(TaskCompleted)) >= done, timeout=60)
            took = time.monotonic() - began
        field.events.clear()
        del slow_ones, short_ones
        return took

    plain = await drained(0)
    behind = await drained(slots)
    assert behind < 2 * plain + 0.5, f"{count / plain:.0f}/s alone, {count / behind:.0f}/s behind"


@pytest.mark.slow
async def test_a_burst_on_a_resting_fleet_loses_nothing_to_the_delivery_limit(
    field: Field, counts: list[int]
) -> None:
    names = ("a", "b", "c", "d")
    for name in names:
        await field.open(*(lane(name, priority) for priority in PRIORITIES))
    lanes = [any_lane(), *(lane(name) for name in names)]
    agents = [sleeper(field, f"worker-{number}", capabilities=names) for number in range(50)]
    async with fleet(agents, counts):
        await _rested(field, lanes)
        ids = await asyncio.gather(*(field.submit(lanes[n % 5], seconds=0.25) for n in range(200)))
        await field.all_ended(ids, timeout=60)
    assert field.heard(TaskDeadLettered) == []
    assert max(counts) <= 2
    assert len(field.started()) == 200, "some were run twice"


async def _rested(field: Field, lanes: list[TaskQueue]) -> None:
    """Wait until agents sit at the doors of these queues."""
    for source in lanes:
        await eventually(partial(field.consumers, source), timeout=60)
