"""An agent whose handlers exit, fork, and stop what is not theirs, for tests with real processes."""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from typing import Any

from consumers import Agent, Task

if os.environ.get("E2E_LOOP") == "standard":
    sys.modules["uvloop"] = None  # type: ignore[assignment]

agent = Agent(os.environ.get("E2E_ID", "misbehaving"), slots=1)


async def tool() -> None:
    """As the `main` of a command-line tool does."""
    await asyncio.sleep(0)
    argparse.ArgumentParser(prog="tool").parse_args(["--no-such-option"])


async def interrupted() -> None:
    raise KeyboardInterrupt


@agent.task("a sub-task exits")
async def a_sub_task_exits(task: Task) -> None:
    await asyncio.wait_for(tool(), timeout=60)


@agent.task("a group exits")
async def a_group_exits(task: Task) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(tool())


@agent.task("interrupts itself")
async def interrupts_itself(task: Task) -> None:
    await asyncio.gather(interrupted())


@agent.task("exits in a thread")
def exits_in_a_thread(task: Task) -> None:
    sys.exit(0)


@agent.task("a callback exits")
async def a_callback_exits(task: Task) -> str:
    loop = asyncio.get_running_loop()
    loop.call_soon(sys.exit)
    loop.call_later(0.01, sys.exit)
    await asyncio.sleep(0.05)
    return "done"


@agent.task("stops the loop")
async def stops_the_loop(task: Task) -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0)
    return "done"


@agent.task("runs an agent")
async def runs_an_agent(task: Task) -> None:
    agent.run()


@agent.task("cancels everything")
async def cancels_everything(task: Task) -> None:
    for one in asyncio.all_tasks():
        one.cancel()


@agent.task("cancels a part")
async def cancels_a_part(task: Task) -> None:
    """Whatever it is of the agent's own: it is not the handler's."""
    for one in asyncio.all_tasks():
        if "EventPublisher.run" in repr(one.get_coro()):
            one.cancel()
    await asyncio.sleep(60)


@agent.task("a pool is late")
def a_pool_is_late(task: Task) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map_async(time.sleep, [60] * 3).get(timeout=0.2)


def exit_code_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@agent.task("a fork comes back")
async def a_fork_comes_back(task: Task) -> int:
    pid = os.fork()
    if not pid:
        sys.exit(7)
    return await asyncio.to_thread(exit_code_of, pid)


@agent.task("a fork comes back in a thread")
def a_fork_comes_back_in_a_thread(task: Task) -> int:
    pid = os.fork()
    if not pid:
        raise ValueError("in the fork")
    return exit_code_of(pid)


@agent.task("behaves")
async def behaves(task: Task) -> dict[str, Any]:
    return {"pid": os.getpid()}
