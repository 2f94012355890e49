"""Handlers that exit, fork or stop what is not theirs, in an agent that is a process: it lives on, or
ends with an exit code that has it started again.
"""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from coordinator.protocol.messages.agent_commands import DrainAgent
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentStopped,
    TaskCompleted,
    TaskFailed,
)
from tests.e2e.misbehaving import a_group_exits, a_sub_task_exits, interrupts_itself
from tests.e2e.processes import Process, spawned
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")
AT_WORK = re.compile("at work")

FAILING = {
    "a sub-task exits": "SystemExit",
    "a group exits": "SystemExit",
    "interrupts itself": "KeyboardInterrupt",
    "exits in a thread": "SystemExit",
    "runs an agent": "RuntimeError",
    "a pool is late": "TimeoutError",
}
COMPLETED: dict[str, Any] = {
    "a callback exits": "done",
    "stops the loop": "done",
    "a fork comes back": 7,
    "a fork comes back in a thread": 1,
}

Start = Callable[..., AbstractAsyncContextManager[Process]]


@pytest.fixture
async def field(broker: Broker, tmp_path: Path) -> AsyncIterator[Field]:
    async with Field(broker.url, tmp_path / "agent-coordinator") as field:
        await field.open(NORMAL)
        yield field


@pytest.fixture
def start(field: Field, tmp_path: Path) -> Start:
    """Run the agent of `tests/e2e/misbehaving.py` the way a user does."""

    def run(*, loop: str = "uvloop", known: bool = True) -> AbstractAsyncContextManager[Process]:
        if known:
            field.agent("mia")  # writes the registration that it starts with
        environment = {
            "COORDINATOR_AMQP_URL": field.url,
            "XDG_CACHE_HOME": str(tmp_path),
            "E2E_LOOP": loop,
            "E2E_ID": "mia",
        }
        command = [sys.executable, "-m", "consumers", "tests.e2e.misbehaving:agent"]
        return spawned(*command, output=tmp_path / "agent.out", environment=environment)

    return run


@pytest.mark.parametrize("loop", ["standard", "uvloop"])
async def test_a_handler_that_exits_or_forks_fails_alone_and_the_agent_lives_on(
    field: Field, start: Start, loop: str
) -> None:
    async with start(loop=loop) as agent:
        ids = {name: await field.submit(NORMAL, task_type=name) for name in FAILING | COMPLETED}
        after = await field.submit(NORMAL, task_type="behaves")
        await field.all_ended([*ids.values(), after])
        errors = {event.task_id: event.error.type for event in field.heard(TaskFailed)}
        assert errors == {ids[name]: error for name, error in FAILING.items()}
        results = {event.task_id: event.result for event in field.heard(TaskCompleted)}
        assert results.pop(after) == {"pid": agent.pid}
        assert results == {ids[name]: result for name, result in COMPLETED.items()}
        assert sorted(field.started()) == sorted([*ids.values(), after])
        assert not field.heard(AgentStopped)
        agent.signal(signal.SIGTERM)
        assert await agent.wait() == 0
    assert await field.depth(NORMAL) == 0
    assert "finishing what runs" in agent.printed
    assert "in the fork" in agent.printed


async def test_a_handler_that_exits_fails_alone_in_the_event_loop_of_another_program(
    field: Field,
) -> None:
    lodger = field.agent("lodger")
    lodger.task("a sub-task exits")(a_sub_task_exits)
    lodger.task("a group exits")(a_group_exits)
    lodger.task("interrupts itself")(interrupts_itself)
    async with lodger.running():
        ids = {await field.submit(NORMAL, task_type=name): name for name in lodger.handlers.types}
        await field.all_ended(ids)
    for event in field.heard(TaskFailed):
        assert event.error.type == FAILING[ids[event.task_id]]


async def test_ctrl_c_stops_an_agent_in_which_code_has_interrupted_itself(
    field: Field, start: Start
) -> None:
    async with start() as agent:
        await field.all_ended([await field.submit(NORMAL, task_type="interrupts itself")])
        agent.signal(signal.SIGINT)
        assert await agent.wait() == 0
    await eventually(lambda: field.heard(AgentStopped))


@pytest.mark.parametrize("how", ["cancels everything", "cancels a part"])
async def test_an_agent_that_was_not_told_to_stop_ends_as_one_that_has_failed(
    field: Field, start: Start, how: str
) -> None:
    async with start() as agent:
        await field.submit(NORMAL, task_type=how)
        assert await agent.wait() == 1
    assert "RuntimeError" in agent.printed
    assert "cancelled by" in agent.printed
    assert "finishing what runs" not in agent.printed


async def test_an_agent_that_is_drained_ends_well(field: Field, start: Start) -> None:
    async with start() as agent:
        await agent.prints(AT_WORK)
        await field.command(DrainAgent(), "mia")
        assert await agent.wait() == 0


async def test_an_agent_says_that_it_is_at_work_once_it_is(field: Field, start: Start) -> None:
    async with start(known=False) as agent:
        await eventually(lambda: any(b.status == "active" for b in field.heard(AgentHeartbeat)))
        assert not AT_WORK.search(agent.printed)
        agent.signal(signal.SIGTERM)
        assert await agent.wait() == 0
    assert not AT_WORK.search(agent.printed)
    async with start() as agent:
        await agent.prints(AT_WORK)
        first = await field.submit(NORMAL, task_type="behaves")
        await eventually(lambda: first in field.started())
