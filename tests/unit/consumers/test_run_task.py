"""A handler's ways to end, through `consumers.testing`, as users test them."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers import Agent, Discard, RetryLater, Task
from consumers.testing import Completed, Failed, Progress, Ran, run_task, run_task_sync


async def test_a_coroutine_returns_the_result() -> None:
    async def handler(task: Task) -> dict[str, Any]:
        return {"words": len(task.data["text"].split()), "of": task.type}

    ran = await run_task(handler, {"task_type": "count", "text": "a b c"})
    assert ran.result == {"words": 3, "of": "count"}


async def test_a_plain_function_runs_in_a_thread_and_blocks_nothing() -> None:
    here = threading.get_ident()
    release = threading.Event()

    def handler(task: Task) -> int:
        release.wait(10)
        return threading.get_ident()

    running = asyncio.create_task(run_task(handler))
    await asyncio.sleep(0)  # the loop goes on while the function waits
    release.set()
    assert (await running).result != here


def test_a_plain_test_runs_a_task_without_a_loop() -> None:
    assert run_task_sync(lambda task: task.data["n"] + 1, {"n": 1}).result == 2


async def test_the_handler_of_the_type_is_chosen_then_the_default() -> None:
    agent = Agent("a")

    @agent.task("one")
    def one(task: Task) -> str:
        return "one"

    @agent.default
    async def other(task: Task) -> str:
        return "other"

    assert (await run_task(agent, {"task_type": "one"})).result == "one"
    assert (await run_task(agent, {"task_type": "two"})).result == "other"
    assert (await run_task(agent, {})).result == "other"


async def test_a_type_without_a_handler_fails_for_good_with_a_sentence() -> None:
    ran = await run_task(Agent("a"), {"task_type": "unknown"})
    assert isinstance(ran.outcome, Failed)
    assert not ran.outcome.retryable
    assert "no handler for tasks of type 'unknown'" in ran.error.message


async def test_an_exception_fails_the_attempt_with_its_traceback() -> None:
    def handler(task: Task) -> None:
        raise KeyError("missing")

    ran = await run_task(handler)
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable
    assert ran.error.type == "KeyError"
    assert "missing" in ran.error.message
    assert "in handler" in (ran.error.traceback or "")


async def test_retry_later_names_a_time() -> None:
    async def handler(task: Task) -> None:
        raise RetryLater("rate limited", after=90)

    outcome = (await run_task(handler)).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.retryable, outcome.retry_after) == (True, timedelta(seconds=90))
    assert outcome.error.message == "rate limited"


async def test_discard_fails_for_good() -> None:
    async def handler(task: Task) -> None:
        raise Discard("no such document")

    outcome = (await run_task(handler)).outcome
    assert isinstance(outcome, Failed)
    assert not outcome.retryable


async def test_leaving_the_process_is_only_a_failure() -> None:
    for leave in (sys.exit, lambda: (_ for _ in ()).throw(KeyboardInterrupt)):
        ran = await run_task(lambda task, leave=leave: list(leave() or ()))
        assert ran.error.type in {"SystemExit", "KeyboardInterrupt"}


async def test_a_handler_that_cancels_itself_has_failed() -> None:
    async def handler(task: Task) -> None:
        raise asyncio.CancelledError

    assert (await run_task(handler)).error.type == "CancelledError"


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_handler_that_takes_too_long_fails_and_may_be_retried(asynchronous: bool) -> None:
    stopped = threading.Event()

    async def coroutine(task: Task) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    def function(task: Task) -> None:
        while not task.cancelled:
            time.sleep(0.005)
        stopped.set()

    ran = await run_task(coroutine if asynchronous else function, timeout=timedelta(seconds=0.05))
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable
    assert ran.error.type == "Timeout"
    assert "0.05 seconds" in ran.error.message
    assert await asyncio.to_thread(stopped.wait, 5)


async def test_a_time_out_of_the_handlers_own_is_an_ordinary_failure() -> None:
    async def handler(task: Task) -> None:
        raise TimeoutError("the database")

    ran = await run_task(handler)
    assert (ran.error.type, ran.error.message) == ("TimeoutError", "the database")


@pytest.mark.parametrize(
    "result", [object(), {"at": {1, object()}}, float("nan"), [float("inf")], "\ud800"]
)
async def test_a_result_that_is_not_json_fails_for_good(result: Any) -> None:
    ran = await run_task(lambda task: result)
    assert isinstance(ran.outcome, Failed)
    assert not ran.outcome.retryable
    assert ran.error.type == "ResultNotJson"
    assert "cannot be told as JSON" in ran.error.message


async def test_a_result_is_copied_as_plain_json() -> None:
    kept = {"at": datetime(2026, 1, 1, tzinfo=UTC), "ids": (1, 2)}
    ran = await run_task(lambda task: kept)
    kept.clear()
    assert ran.result == {"at": "2026-01-01T00:00:00Z", "ids": [1, 2]}


async def test_a_result_that_is_too_large_is_told_to_be_stored_elsewhere() -> None:
    agent = Agent("a", max_result_bytes=100)
    agent.default(lambda task: "x" * 99)
    ran = await run_task(agent)
    assert ran.error.type == "ResultTooLarge"
    assert "store it elsewhere and return a reference" in ran.error.message


async def test_progress_comes_from_coroutines_and_threads_alike() -> None:
    async def coroutine(task: Task) -> None:
        await task.progress(0.5, "half")
        task.progress(message="more")

    def function(task: Task) -> None:
        task.progress(0.5, "half")
        task.progress(message="more")

    for handler in (coroutine, function):
        ran: Ran = await run_task(handler)
        assert isinstance(ran.outcome, Completed)
        assert ran.progress == [Progress(0.5, "half"), Progress(None, "more")]


async def test_progress_beyond_its_bounds_is_the_handlers_error() -> None:
    ran = await run_task(lambda task: task.progress(1.5))
    assert ran.error.type == "ValueError"


async def test_the_task_tells_what_the_producer_sent() -> None:
    def handler(task: Task) -> list[Any]:
        task.log.info("seen")
        return [task.data, task.priority, task.attempt, task.metadata, task.previous_progress]

    ran = await run_task(
        handler,
        {"x": 1},
        priority="URGENT",
        attempt=3,
        metadata={"who": "me"},
        previous_progress={"page": 4},
    )
    assert ran.result == [{"x": 1}, "urgent", 3, {"who": "me"}, {"page": 4}]
