"""Whatever handlers do, on a real broker: each task ends, each slot comes free, and the agent lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from consumers import Agent, Discard, RetryLater, Task
from coordinator.protocol.messages.agent_commands import DrainAgent
from coordinator.protocol.messages.events import AgentStopped, TaskCompleted, TaskFailed
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")

SLOTS = 4


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path) as one:
        await one.open(NORMAL)
        yield one


class Detached:
    """As a database row whose session is closed: it raises wherever it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("not bound to a session")

    __repr__ = __str__


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def endless() -> Iterator[int]:
    while True:
        yield 1


async def forgotten() -> None:
    pass


def throws(make: Callable[[], BaseException]) -> Callable[[], Any]:
    def act() -> Any:
        raise make()

    return act


ACTS: dict[str, tuple[Callable[[], Any], str]] = {
    "unshown": (throws(lambda: ValueError(Detached())), "ValueError"),
    "unshown retry": (throws(lambda: RetryLater(Detached())), "RetryLater"),  # type: ignore[arg-type]
    "unshown discard": (throws(lambda: Discard(Detached())), "Discard"),  # type: ignore[arg-type]
    "text pause": (throws(lambda: RetryLater("429", after="30")), "RetryLater"),
    "odd pause": (throws(lambda: RetryLater("429", after=float("nan"))), "RetryLater"),
    "long pause": (throws(lambda: RetryLater("429", after=1e300)), "RetryLater"),
    "deep": (lambda: nested(199), "ResultNotJson"),
    "deeper": (lambda: nested(5000), "ResultNotJson"),
    "endless": (endless, "ResultNotJson"),
    "hidden": (lambda: {"rows": [map(str, endless())]}, "ResultNotJson"),
    "forgotten": (forgotten, "ResultNotJson"),
    "set": (lambda: {1, 2}, "ResultNotJson"),
    "keys": (lambda: {1: "a", "1": "b"}, "ResultNotJson"),
    "nan": (lambda: [float("nan")], "ResultNotJson"),
    "huge": (lambda: 10**5000, "ResultNotJson"),
    "surrogate": (lambda: "\ud800", "ResultNotJson"),
    "row": (Detached, "ResultNotJson"),
}


def declare(agent: Agent, released: asyncio.Event) -> None:
    """Each act as a coroutine and as a plain function; those wait for each other, to travel together."""

    @agent.task("coroutine")
    async def coroutine(task: Task) -> Any:
        await released.wait()
        return ACTS[task.data["act"]][0]()

    @agent.task("plain")
    def plain(task: Task) -> Any:
        return ACTS[task.data["act"]][0]()

    @agent.task("good")
    async def good(task: Task) -> str:
        await released.wait()
        return "done"

    @agent.task("progress")
    def progress(task: Task) -> None:
        task.progress(0.5, Detached())  # type: ignore[arg-type]


async def test_each_task_ends_each_slot_comes_free_and_the_agent_lives(field: Field) -> None:
    agent = field.agent("worker-1", slots=SLOTS)
    released = asyncio.Event()
    declare(agent, released)
    async with agent.running() as life:
        wrong: dict[str, str] = {}
        good: list[str] = []
        for act, (_, error) in ACTS.items():
            for kind in ("coroutine", "plain"):
                wrong[await field.submit(NORMAL, task_type=kind, act=act)] = error
            good.append(await field.submit(NORMAL, task_type="good"))
        wrong[await field.submit(NORMAL, task_type="progress")] = "RuntimeError"
        await eventually(lambda: len(field.started()) >= SLOTS)
        released.set()
        await field.all_ended([*wrong, *good])
        assert {one.task_id: one.error.type for one in field.heard(TaskFailed)} == wrong
        assert {one.task_id for one in field.heard(TaskCompleted)} == set(good)
        assert len(field.started()) == len(wrong) + len(good)
        assert field.bad == []

        # As many as there are slots, all at once: none was lost.
        released.clear()
        more = [await field.submit(NORMAL, task_type="good") for _ in range(SLOTS)]
        await eventually(lambda: set(more) <= set(field.started()))
        released.set()
        await field.all_ended(more)
        assert await field.depth(NORMAL) == 0

        await field.command(DrainAgent(), "worker-1")
        await life.told_to_stop()
    await eventually(lambda: field.heard(AgentStopped))
