"""A handler whose sub-task calls `sys.exit` has failed; the loop, and whoever owns it, goes on."""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from consumers import Task
from consumers._handling.sys_exit_containment import IN_HANDLER, tasks_contained
from consumers.testing import run_task, run_task_sync


class OwnExit(BaseException):
    pass


async def tool() -> None:
    """As the `main` of a command-line tool does."""
    await asyncio.sleep(0)
    argparse.ArgumentParser(prog="tool").parse_args(["--no-such-option"])


async def by_wait_for(task: Task) -> None:
    await asyncio.wait_for(tool(), timeout=60)


async def by_create_task(task: Task) -> None:
    await asyncio.create_task(tool())


async def by_shield(task: Task) -> None:
    await asyncio.shield(tool())


async def by_gather(task: Task) -> None:
    await asyncio.gather(asyncio.sleep(0), tool())


async def by_group(task: Task) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(60))
        group.create_task(tool())


async def in_a_task_of_a_task(task: Task) -> None:
    await asyncio.create_task(by_gather(task))


async def after_it_has_ended(task: Task) -> None:
    sub = asyncio.create_task(tool())
    await asyncio.wait([sub])
    await sub


async def by_itself(task: Task) -> None:
    sys.exit(2)


def in_a_thread(task: Task) -> None:
    sys.exit(2)


async def in_a_thread_of_asyncio(task: Task) -> None:
    await asyncio.to_thread(sys.exit, 2)


EXITING = [
    by_wait_for,
    by_create_task,
    by_shield,
    by_gather,
    by_group,
    in_a_task_of_a_task,
    after_it_has_ended,
    by_itself,
    in_a_thread,
    in_a_thread_of_asyncio,
]


@pytest.mark.parametrize("handler", EXITING)
def test_a_handler_that_exits_has_failed(handler: Callable[[Task], Any]) -> None:
    error = run_task_sync(handler).error
    assert (error.type, error.message) == ("SystemExit", "2")


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit, OwnExit])
def test_whatever_a_sub_task_raises_is_an_error_of_its_handler(error: type[BaseException]) -> None:
    async def raising() -> None:
        raise error

    async def handler(task: Task) -> None:
        await asyncio.wait([sub := asyncio.create_task(raising())])
        await sub

    assert run_task_sync(handler).error.type == error.__name__


def test_a_handler_may_treat_the_exit_of_its_sub_task() -> None:
    async def handler(task: Task) -> list[Any]:
        sub = asyncio.create_task(tool(), name="the tool")
        seen: Any = None
        try:
            await sub
        except SystemExit as exc:
            seen = exc.code
        found = await asyncio.gather(tool(), return_exceptions=True)
        return [seen, repr(sub.exception()), repr(found[0]), sub.get_name(), sub.done()]

    assert run_task_sync(handler).result == [
        2,
        "SystemExit(2)",
        "SystemExit(2)",
        "the tool",
        True,
    ]


def test_a_sub_task_that_nobody_awaits_changes_nothing() -> None:
    async def handler(task: Task) -> str:
        left = asyncio.create_task(tool())
        await asyncio.wait([left])
        return "done"

    assert run_task_sync(handler).result == "done"


def test_sub_tasks_are_cancelled_and_return_as_usual() -> None:
    async def returning(value: int) -> int:
        await asyncio.sleep(0)
        return value

    async def handler(task: Task) -> list[Any]:
        sleeping = asyncio.create_task(asyncio.sleep(60))
        await asyncio.sleep(0)
        not_begun = asyncio.create_task(asyncio.sleep(60))
        for sub in (sleeping, not_begun):
            sub.cancel()
        ended = await asyncio.gather(sleeping, not_begun, return_exceptions=True)
        one = asyncio.create_task(returning(1))
        shown = "returning()" in repr(one)
        return [*(type(end).__name__ for end in ended), await one, one.result(), await one, shown]

    ended = ["CancelledError", "CancelledError"]
    assert run_task_sync(handler).result == [*ended, 1, 1, 1, True]
    gc.collect()  # a coroutine that was never awaited would be told here


def test_a_sub_task_that_exits_when_it_is_cancelled_is_contained() -> None:
    async def tidying() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            sys.exit(3)

    async def handler(task: Task) -> None:
        sub = asyncio.create_task(tidying())
        await asyncio.sleep(0)
        sub.cancel()
        await sub

    assert run_task_sync(handler).error.message == "3"


async def test_the_loop_is_as_before_once_the_last_agent_has_left_it() -> None:
    loop = asyncio.get_running_loop()
    first, second = tasks_contained(loop), tasks_contained(loop)
    with first:
        with second:
            assert type(asyncio.create_task(asyncio.sleep(0))) is asyncio.Task
            IN_HANDLER.set(True)
            assert type(asyncio.create_task(asyncio.sleep(0))) is not asyncio.Task
        assert type(asyncio.create_task(asyncio.sleep(0))) is not asyncio.Task
    assert loop.get_task_factory() is None
    assert type(asyncio.create_task(asyncio.sleep(0))) is asyncio.Task


async def test_a_loop_that_has_a_task_factory_keeps_it() -> None:
    made: list[Awaitable[Any]] = []

    def factory(loop: asyncio.AbstractEventLoop, coro: Any, **more: Any) -> asyncio.Task[Any]:
        made.append(coro)
        return asyncio.Task(coro, loop=loop, **more)

    async def handler(task: Task) -> str:
        await asyncio.create_task(asyncio.sleep(0))
        return "done"

    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        assert (await run_task(handler)).result == "done"
        assert loop.get_task_factory() is factory
    finally:
        loop.set_task_factory(None)
    assert len(made) == 2
