"""Interceptors around the handlers of an agent at work, on a real broker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from consumers import Task
from consumers.interceptor import CallNext
from coordinator.protocol.messages.agent_commands import CancelTask
from coordinator.protocol.messages.events import TaskCompleted, TaskFailed
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")
CALLER: ContextVar[str] = ContextVar("CALLER", default="nobody")


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path) as field:
        await field.open(NORMAL)
        yield field


class KnowingTheCaller:
    """Refuses tasks without a caller, and tells handlers who it is."""

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        CALLER.set(task.data["caller"])
        return await call_next()


class Watching:
    """Notes how each attempt came out."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        try:
            result = await call_next()
        except BaseException as exc:
            self.seen.append((task.id, type(exc).__name__))
            raise
        self.seen.append((task.id, "done"))
        return result


async def test_every_attempt_goes_through_the_interceptors(field: Field) -> None:
    watching = Watching()
    agent = field.agent("worker-1", slots=4, interceptors=[watching, KnowingTheCaller()])
    began = asyncio.Event()

    @agent.task("coroutine")
    async def coroutine(task: Task) -> str:
        await asyncio.sleep(0)
        return CALLER.get()

    @agent.task("thread")
    def thread(task: Task) -> str:
        return f"{CALLER.get()} off the loop: {threading.current_thread().daemon}"

    @agent.task("failing")
    async def failing(task: Task) -> None:
        raise ValueError(CALLER.get())

    @agent.task("waiting")
    async def waiting(task: Task) -> None:
        began.set()
        await asyncio.sleep(3600)

    async with agent.running():
        ids = {
            name: await field.submit(NORMAL, task_type=name, caller=f"caller of {name}")
            for name in ("coroutine", "thread", "failing", "waiting")
        }
        ids["unknown"] = await field.submit(NORMAL, task_type="thread")  # has no caller
        await field.all_ended(set(ids.values()) - {ids["waiting"]})
        await began.wait()
        await field.command(CancelTask(task_id=ids["waiting"]), "worker-1")
        await eventually(lambda: len(watching.seen) == 5)
    results = {event.task_id: event.result for event in field.heard(TaskCompleted)}
    assert results == {
        ids["coroutine"]: "caller of coroutine",
        ids["thread"]: "caller of thread off the loop: True",
    }
    errors = {event.task_id: event.error for event in field.heard(TaskFailed)}
    assert {task_id: (error.type, error.message) for task_id, error in errors.items()} == {
        ids["failing"]: ("ValueError", "caller of failing"),
        ids["unknown"]: (
            "InterceptorFailed",
            "The interceptor KnowingTheCaller raised KeyError: 'caller'",
        ),
    }
    assert dict(watching.seen) == {
        ids["coroutine"]: "done",
        ids["thread"]: "done",
        ids["failing"]: "ValueError",
        ids["waiting"]: "CancelledError",
        ids["unknown"]: "InterceptorFailed",
    }


async def test_a_thread_that_an_interceptor_gives_up_keeps_its_slot(field: Field) -> None:
    class Impatient:
        async def intercept(self, task: Task, call_next: CallNext) -> Any:
            async with asyncio.timeout(task.data.get("patience", 60)):
                return await call_next()

    release = threading.Event()
    agent = field.agent("worker-1", slots=1, interceptors=[Impatient()])
    agent.default(lambda task: release.wait(60))
    async with agent.running() as life:
        impatient = await field.submit(NORMAL, patience=0.1)
        await field.all_ended([impatient])
        assert life._executor.slots.given_up == 1
        second = await field.submit(NORMAL)
        await eventually(lambda: life._state().load_metrics["abandoned_handlers"] == 1)
        assert field.started() == [impatient]
        release.set()
        await field.all_ended([second])
        assert life._executor.slots.given_up == 0
    (failed,) = field.heard(TaskFailed)
    assert failed.error.message == "The interceptor Impatient raised TimeoutError: "
