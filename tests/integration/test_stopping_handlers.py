"""Handlers that are told to stop, on a real broker: cancelled, late, silent, or no longer wanted."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from consumers import Task
from consumers._working.give_back_limit import GIVE_BACKS
from consumers.agent_timings import AgentTimings
from coordinator.broker.connection import Connection
from coordinator.protocol.messages.agent_commands import CancelTask
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    TaskCompleted,
    TaskFailed,
    TaskStarted,
)
from tests.support.broker import Broker, OwnBroker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")


CLOSE_BEATS = AgentTimings(heartbeat_spacing=timedelta(seconds=0.05))


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path, timings=CLOSE_BEATS) as field:
        await field.open(NORMAL)
        yield field


async def test_a_cancelled_handler_has_its_grace_and_one_that_ignores_it_is_counted(
    field: Field,
) -> None:
    release = threading.Event()
    agent = field.agent("worker-1", slots=2, cancel_grace=timedelta(seconds=0.5))

    @agent.task("nearly done")
    async def nearly_done(task: Task) -> str:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
        return "done after all"

    @agent.task("deaf")
    def deaf(task: Task) -> None:
        release.wait(60)

    @agent.default
    async def quick(task: Task) -> None:
        return None

    def abandoned(count: int) -> bool:
        beats = field.heard(AgentHeartbeat)
        return bool(beats) and beats[-1].load_metrics["abandoned_handlers"] == count

    async with agent.running() as life:
        near, gone = [
            await field.submit(NORMAL, task_type=name) for name in ("nearly done", "deaf")
        ]
        await eventually(lambda: set(field.started()) == {near, gone})
        for task_id in (near, gone):
            await field.command(CancelTask(task_id=task_id), "worker-1")
        await field.all_ended([near])
        (completed,) = field.heard(TaskCompleted)
        assert completed.result == "done after all"
        await eventually(lambda: life._executor.slots.given_up == 1)
        after = await field.submit(NORMAL)
        await field.all_ended([after])  # in the other slot
        life._heartbeat.beat_soon()
        await eventually(lambda: abandoned(1))
        assert field.tells(running=[])
        release.set()
        await eventually(lambda: life._executor.slots.given_up == 0)
    assert gone not in field.ended()
    assert await field.depth(NORMAL) == 0


async def test_the_times_that_a_task_allows_are_kept(field: Field) -> None:
    release = threading.Event()
    agent = field.agent("worker-1", slots=3, cancel_grace=timedelta(seconds=0.2))

    @agent.task("silent")
    async def silent(task: Task) -> None:
        for step in range(3):
            task.progress(step / 10)
            await asyncio.sleep(0.1)
        await asyncio.sleep(3600)

    @agent.task("blocking")
    def blocking(task: Task) -> None:
        release.wait(60)

    @agent.task("swallowing")
    async def swallowing(task: Task) -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(0.2)
            except asyncio.CancelledError:
                continue

    limits: dict[str, dict[str, float]] = {
        "silent": {"progress_timeout_seconds": 0.25, "timeout_seconds": 30},
        "blocking": {"timeout_seconds": 0.2},
        "swallowing": {"timeout_seconds": 0.2},
    }
    async with agent.running() as life:
        ids: dict[str, str] = {}
        for name, fields in limits.items():
            message = field.message(NORMAL, task_type=name).model_copy(update=fields)
            ids[name] = message.task_id
            await field.send(NORMAL, message)
        await field.all_ended(ids.values())
        assert life._executor.slots.given_up == 2
        await eventually(lambda: life._state().status == "active")  # one slot is left
        release.set()
        await eventually(lambda: life._executor.slots.given_up == 0)
    failed = {event.task_id: event for event in field.heard(TaskFailed)}
    assert {name: failed[task_id].error.type for name, task_id in ids.items()} == {
        "silent": "ProgressTimeout",
        "blocking": "Timeout",
        "swallowing": "Timeout",
    }
    assert all(event.retryable for event in failed.values())
    assert "thread cannot be stopped" in failed[ids["blocking"]].error.message


async def test_losses_beyond_those_that_may_be_innocent_are_attempts(
    field: Field, broker: Broker
) -> None:
    message = field.message(NORMAL).model_copy(
        update={"max_attempts": 3, "previous_progress": {"fraction": 0.5}}
    )
    await field.send(NORMAL, message)
    async with Connection(broker.url, name="agents that die") as connection:
        link = await connection.opened()
        for _ in range(GIVE_BACKS + 1):
            channel = await link.channel()
            assert await eventually(partial(channel.get, NORMAL.queue)) is not None
            await channel.close()
    agent = field.agent("worker-1")
    agent.default(lambda task: [task.attempt, task.previous_progress])
    async with agent.running():
        await field.all_ended([message.task_id])
    (started,), (completed,) = field.heard(TaskStarted), field.heard(TaskCompleted)
    assert (started.attempt, completed.attempt) == (2, 2)
    assert completed.result == [2, {"fraction": 0.5}]


@pytest.mark.parametrize("mode", ["finish", "cancel"])
async def test_a_task_that_went_to_another_agent_is_finished_or_cancelled(
    field: Field, broker: Broker, mode: str
) -> None:
    release, stopped = asyncio.Event(), asyncio.Event()
    first = field.agent("first", on_lost_connection=mode)

    @first.default
    async def hold(task: Task) -> str:
        try:
            await release.wait()
        except asyncio.CancelledError:
            stopped.set()
            raise
        return "late"

    second = field.agent("second")
    second.default(lambda task: "taken over")
    async with first.running():
        task_id = await field.submit(NORMAL)
        await eventually(lambda: field.started() == [task_id])
        async with second.running():
            await eventually(partial(broker.close_connections, "agent first"), timeout=60)
            await field.all_ended([task_id])
            if mode == "cancel":
                await asyncio.wait_for(stopped.wait(), 30)
        release.set()
        again = await field.submit(NORMAL)
        await field.all_ended([again])
    assert stopped.is_set() == (mode == "cancel")
    told = [(event.task_id, event.agent_id) for event in field.heard(TaskCompleted)]
    late = [(task_id, "first")] if mode == "finish" else []
    assert sorted(told) == sorted([(task_id, "second"), *late, (again, "first")])
    assert await field.depth(NORMAL) == 0


@pytest.mark.slow
async def test_no_outcome_is_acknowledged_before_it_is_confirmed(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    """The broker is killed while a task runs; its outcome is told when it is back, and then acked."""
    release = asyncio.Event()
    runs: list[Any] = []
    async with Field(own_broker.url, tmp_path, lasting=True, timings=CLOSE_BEATS) as field:
        await field.open(NORMAL)
        loop = asyncio.get_running_loop()
        opened = loop.time()
        agent = field.agent("worker-1", on_lost_connection="cancel")

        @agent.default
        async def hold(task: Task) -> str:
            runs.append(task.id)
            await release.wait()
            return "done"

        async with agent.running():
            task_id = await field.submit(NORMAL)
            await eventually(lambda: field.started() == [task_id])
            # RabbitMQ may lose a queue of the last second for good where it is killed.
            await eventually(lambda: loop.time() > opened + 2)
            await own_broker.kill()
            await own_broker.start()  # meanwhile the handler was cancelled
            release.set()
            await field.listen()
            await field.all_ended([task_id], timeout=60)
        assert await field.depth(NORMAL) == 0
    assert runs == [task_id, task_id]
