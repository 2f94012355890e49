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
from consumers.testing import (
    Cancelled,
    Completed,
    Failed,
    Interruption,
    Progress,
    Ran,
    run_task,
    run_task_sync,
)


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


async def test_a_task_of_a_type_without_a_handler_is_not_done() -> None:
    with pytest.raises(LookupError, match="no handler for the type 'unknown'"):
        await run_task(Agent("a"), {"task_type": "unknown"})


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
    assert (
        "keep it with task.store (COORDINATOR_ARTIFACTS), and return the reference"
        in ran.error.message
    )


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


@pytest.mark.parametrize("message", [{1, 2}, b"text", {"page": 1}, ["page"], ("page", 1)])
async def test_a_message_of_progress_that_is_no_line_of_text_is_the_handlers_error(
    message: Any,
) -> None:
    ran = await run_task(lambda task: task.progress(0.5, message))
    assert ran.error.type == "TypeError"
    assert f"is a line of text, not {type(message).__name__}" in ran.error.message
    assert ran.progress == []


@pytest.mark.parametrize(
    "given",
    [
        {"task_data": {"a": {1}}},
        {"metadata": {1: "a"}},
        {"previous_progress": float("nan")},
        {"answers": [b"yes"]},
    ],
)
async def test_what_nobody_could_send_is_refused_in_a_test_too(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="cannot be told as JSON"):
        await run_task(lambda task: None, **given)


async def test_a_test_gives_tuples_as_the_lists_that_they_become() -> None:
    async def handler(task: Task) -> list[Any]:
        return [type(task.data["a"]).__name__, type(await task.ask("which?")).__name__]

    ran = await run_task(handler, {"a": (1, 2)}, answers=[("b",)])
    assert ran.result == ["list", "list"]


async def test_the_task_tells_what_the_producer_sent() -> None:
    def handler(task: Task) -> list[Any]:
        task.log.info("seen")
        labels = [task.group, task.tags]
        told = [task.data, task.priority, task.attempt, task.metadata, task.previous_progress]
        return told + labels

    ran = await run_task(
        handler,
        {"x": 1},
        priority="URGENT",
        attempt=3,
        metadata={"who": "me"},
        previous_progress={"page": 4},
        group="report",
        tags=["a"],
    )
    assert ran.result == [{"x": 1}, "urgent", 3, {"who": "me"}, {"page": 4}, "report", ["a"]]


# --- being stopped ----------------------------------------------------------------------------

AT_ONCE = Interruption(cancel_after=timedelta(), grace=timedelta(seconds=20))
SOON = timedelta(seconds=0.05)


async def test_a_cancelled_coroutine_may_tidy_up_and_is_cancelled() -> None:
    steps: list[str] = []

    async def handler(task: Task) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            steps.append("told")
            await asyncio.sleep(0.01)
            steps.append("tidy")
            raise

    ran = await run_task(handler, interruption=AT_ONCE)
    assert (ran.outcome, ran.given_up, steps) == (Cancelled(), False, ["told", "tidy"])


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_work_that_is_done_within_the_grace_counts(asynchronous: bool) -> None:
    async def coroutine(task: Task) -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
        return "done"

    def function(task: Task) -> str:
        time.sleep(0.05)
        return "done"

    ran = await run_task(coroutine if asynchronous else function, interruption=AT_ONCE)
    assert ran.result == "done"


async def test_what_a_function_returns_after_it_saw_that_it_was_cancelled_is_no_result() -> None:
    def handler(task: Task) -> str:
        while not task.cancelled:
            time.sleep(0.005)
        return "half of it"

    ran = await run_task(handler, interruption=AT_ONCE)
    assert (ran.outcome, ran.given_up) == (Cancelled(), False)


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_a_handler_that_ignores_a_cancellation_is_given_up(
    asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    async def coroutine(task: Task) -> None:
        while not release.is_set():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    def function(task: Task) -> None:
        release.wait(20)

    short = Interruption(cancel_after=timedelta(), grace=SOON)
    ran = await run_task(coroutine if asynchronous else function, interruption=short)
    release.set()
    assert (ran.outcome, ran.given_up) == (Cancelled(), True)
    assert "keeps its slot until it ends" in caplog.text
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def test_a_handler_that_swallows_its_time_out_does_not_hang_the_attempt() -> None:
    release = asyncio.Event()

    async def handler(task: Task) -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    ran = await run_task(handler, timeout=SOON, interruption=Interruption(grace=SOON))
    release.set()
    assert ran.error.type == "Timeout"
    assert "It was cancelled and did not end" in ran.error.message


async def test_the_time_out_of_a_plain_function_says_that_its_thread_goes_on() -> None:
    release = threading.Event()
    ran = await run_task(lambda task: release.wait(20), timeout=SOON)
    release.set()
    assert (ran.error.type, ran.given_up) == ("Timeout", True)
    assert "its thread cannot be stopped" in ran.error.message


async def test_a_handler_that_tells_of_no_progress_fails_and_may_be_retried() -> None:
    async def handler(task: Task) -> None:
        for _ in range(10):
            task.progress(0.5)
            await asyncio.sleep(0.02)  # longer than the limit, in all
        await asyncio.sleep(60)

    limit = timedelta(seconds=0.15)
    ran = await run_task(handler, interruption=Interruption(progress_timeout=limit))
    assert isinstance(ran.outcome, Failed)
    assert ran.outcome.retryable
    assert ran.error.type == "ProgressTimeout"
    assert "no progress for 0.15 seconds" in ran.error.message
    assert len(ran.progress) == 10


async def test_a_handler_that_is_stopped_may_choose_how_it_fails() -> None:
    async def handler(task: Task) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as exc:
            raise RetryLater("at night", after=3600) from exc

    outcome = (await run_task(handler, timeout=SOON)).outcome
    assert isinstance(outcome, Failed)
    assert outcome.retry_after == timedelta(hours=1)
    assert (await run_task(handler, interruption=AT_ONCE)).outcome == Cancelled()


async def test_an_error_while_it_tidies_up_does_not_hide_why_it_was_stopped() -> None:
    async def handler(task: Task) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            raise OSError("no space left")

    assert (await run_task(handler, timeout=SOON)).error.type == "Timeout"
