"""Agents that die, and brokers that go away, under running tasks."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from consumers import Task
from consumers._working.give_back_limit import GIVE_BACKS
from coordinator.protocol.messages.agent_commands import DrainAgent
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentStopped,
    TaskCompleted,
    TaskFailed,
    TaskStarted,
)
from tests.support.broker import Broker, OwnBroker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")

SCRIPT = """
import asyncio
import os
from consumers import Agent

agent = Agent("process", slots=2)

@agent.task("swallow")
async def swallow(task):
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

@agent.task("quick")
async def quick(task):
    return "done"

@agent.task("hold")
async def hold(task):
    await asyncio.sleep(3600)

@agent.task("poison")
async def poison(task):
    os._exit(1)

@agent.task("brief")
async def brief(task):
    await asyncio.sleep(1)
    return "done"
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path / "agent-coordinator") as field:
        await field.open(NORMAL)
        yield field


@pytest.fixture
def start(field: Field, tmp_path: Path) -> Iterator[Start]:
    """Run an agent the way a user does: `python -m consumers agents.py:agent`."""
    script = tmp_path / "agents.py"
    script.write_text(SCRIPT)
    processes: list[subprocess.Popen[str]] = []

    def run(agent_id: str, *more: str) -> subprocess.Popen[str]:
        field.agent(agent_id)  # writes the registration that it starts with
        command = [sys.executable, "-m", "consumers", f"{script}:agent", "--id", agent_id, *more]
        environment = {
            **os.environ,
            "COORDINATOR_AMQP_URL": field.url,
            "XDG_CACHE_HOME": str(tmp_path),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


async def ended(process: subprocess.Popen[str]) -> int:
    return await asyncio.to_thread(process.wait, 60)


async def test_a_task_of_an_agent_that_was_killed_is_done_by_another(
    field: Field, start: Start
) -> None:
    victim = start("victim")
    task_id = await field.submit(NORMAL, task_type="hold")
    await eventually(lambda: field.started() == [task_id], timeout=60)
    victim.kill()

    survivor = field.agent("survivor")
    survivor.default(lambda task: "done")
    async with survivor.running():
        await field.all_ended([task_id])
    assert [event.agent_id for event in field.heard(TaskStarted)] == ["victim", "survivor"]
    assert [event.agent_id for event in field.heard(TaskCompleted)] == ["survivor"]


async def test_a_signal_lets_the_agent_finish_and_say_goodbye(field: Field, start: Start) -> None:
    process = start("polite")
    task_id = await field.submit(NORMAL, task_type="brief")
    await eventually(lambda: field.started() == [task_id], timeout=60)
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == 0
    await eventually(lambda: field.heard(AgentStopped))
    assert field.ended() == {task_id}
    assert await field.depth(NORMAL) == 0


async def test_a_second_signal_does_not_wait(field: Field, start: Start) -> None:
    process = start("hurried")
    task_id = await field.submit(NORMAL, task_type="hold")
    await eventually(lambda: field.started() == [task_id], timeout=60)
    process.send_signal(signal.SIGINT)
    await eventually(lambda: field.tells(status="draining"))
    process.send_signal(signal.SIGINT)
    assert await ended(process) == 0
    await eventually(lambda: field.waits(NORMAL, 1))


async def test_a_command_drains_an_agent_as_a_signal_does(field: Field, start: Start) -> None:
    process = start("polite")
    task_id = await field.submit(NORMAL, task_type="brief")
    await eventually(lambda: field.started() == [task_id], timeout=60)
    await field.command(DrainAgent(), "polite")
    await eventually(lambda: "draining" in {beat.status for beat in field.heard(AgentHeartbeat)})
    left = await field.submit(NORMAL, task_type="brief")
    assert await ended(process) == 0
    await eventually(lambda: field.heard(AgentStopped))
    assert field.ended() == {task_id}
    await eventually(lambda: field.waits(NORMAL, 1))
    assert left not in field.started()


async def test_a_handler_that_cannot_be_stopped_does_not_keep_the_process(
    field: Field, start: Start
) -> None:
    process = start("stubborn")
    task_id = await field.submit(NORMAL, task_type="swallow")
    await eventually(lambda: field.started() == [task_id], timeout=60)
    process.send_signal(signal.SIGTERM)
    await eventually(lambda: field.tells(status="draining"))
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == 0
    await eventually(lambda: field.waits(NORMAL, 1))


@pytest.mark.slow
async def test_a_task_that_kills_every_agent_ends_dead_and_the_fleet_survives(
    field: Field, start: Start
) -> None:
    max_attempts = 2
    poison = field.message(NORMAL, task_type="poison").model_copy(
        update={"max_attempts": max_attempts}
    )
    await field.send(NORMAL, poison)
    others = await field.submit_many(NORMAL, 20, task_type="quick")
    processes = [start("mortal-0")]
    while not field.heard(TaskFailed):
        if processes[-1].poll() is not None:  # a supervisor starts it again
            processes.append(start(f"mortal-{len(processes)}"))
        assert len(processes) < 10
        await asyncio.to_thread(_wait_a_little, processes[-1])
    await field.all_ended([poison.task_id, *others])
    (failed,) = field.heard(TaskFailed)
    assert (failed.task_id, failed.attempt) == (poison.task_id, max_attempts)
    assert (failed.error.type, failed.retryable) == ("CrashLoop", False)
    assert len(processes) - 1 == max_attempts + GIVE_BACKS, "agents were lost"
    assert {event.task_id for event in field.heard(TaskCompleted)} == set(others)
    assert await field.depth(NORMAL) == 0
    assert processes[-1].poll() is None


def _wait_a_little(process: subprocess.Popen[str]) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.1)


@pytest.mark.slow
async def test_agents_come_back_by_themselves_after_the_broker_was_away(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    release = asyncio.Event()
    runs: list[str] = []
    async with Field(own_broker.url, tmp_path, lasting=True) as field:
        await field.open(NORMAL)
        agent = field.agent("worker-1", slots=2)

        @agent.task("held")
        async def held(task: Task) -> str:
            runs.append(task.id)
            await release.wait()
            return "held"

        @agent.default
        async def quick(task: Task) -> Any:
            runs.append(task.id)
            return None

        async with agent.running():
            before = await field.submit_many(NORMAL, 50)
            await field.all_ended(before)
            during = await field.submit(NORMAL, task_type="held")
            await eventually(lambda: during in field.started())

            await own_broker.stop()
            release.set()  # it ends while there is no one to tell
            await own_broker.start()

            await field.listen()
            await field.all_ended([during], timeout=60)
            after = await field.submit_many(NORMAL, 50)
            await field.all_ended(after, timeout=60)
            await eventually(lambda: field.tells(status="active"))
        assert await field.depth(NORMAL) == 0
    assert sorted(runs) == sorted([*before, during, *after]), "some were run twice"
