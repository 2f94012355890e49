"""A handler submits follow-up tasks: in a thread and on the loop, by number and by key."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers import SubmissionRefused, Task
from consumers._handling.calls_from_handlers import AT_ONCE, CallsFromHandlers
from consumers._values.call_numbers import CallNumbers
from consumers._values.follow_up_wish import LONGEST_KEY, follow_up_wish
from consumers.testing import Failed, run_task
from coordinator.protocol.priority import Priority


async def test_each_call_is_a_task_of_its_own() -> None:
    async def handler(task: Task) -> list[str]:
        return [(await task.submit({"page": number})).id for number in (1, 1, 2)]

    ran = await run_task(handler)
    assert len(set(ran.result)) == 3
    assert [one["task_data"] for one in ran.submitted] == [{"page": 1}, {"page": 1}, {"page": 2}]


def test_a_second_run_that_gets_elsewhere_names_nothing_else_the_same() -> None:
    """One attempt is run again where its agent was lost: what it submits anew is the same task, and what it
    submits instead is another.
    """

    def named(*pages: int, bound: bool = False) -> list[str]:
        numbers = CallNumbers()
        return [
            follow_up_wish(
                {"page": page}, {}, key=None, cancel_with_parent=bound, attempt=1, numbers=numbers
            ).request_id
            for page in pages
        ]

    first = named(1, 2, 2)
    assert len(set(first)) == 3
    assert named(1, 2, 2) == first
    assert set(named(2, 1, 2)) == set(first)
    assert set(named(3)).isdisjoint(first)
    assert set(named(1, bound=True)).isdisjoint(first)


def test_calls_of_several_threads_have_numbers_of_their_own() -> None:
    numbers = CallNumbers()
    together = threading.Barrier(8)

    def call(_: int) -> list[int]:
        together.wait()
        return [numbers.next("page") for _ in range(500)]

    with ThreadPoolExecutor(8) as pool:
        given = [number for some in pool.map(call, range(8)) for number in some]
    assert sorted(given) == list(range(1, 4001))


async def test_threads_of_a_handler_submit_as_many_tasks_as_they_call() -> None:
    def handler(task: Task) -> int:
        with ThreadPoolExecutor(8) as pool:
            found = pool.map(lambda _: task.submit({"page": 1}), range(200))
            return len({one.id for one in found})

    ran = await run_task(handler)
    assert ran.result == len(ran.submitted) == 200


async def test_so_many_are_under_way_at_once_and_the_others_wait_for_their_turn() -> None:
    under_way, most = 0, 0

    async def work() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    calls = CallsFromHandlers()
    await asyncio.gather(*(calls.call(work) for _ in range(3 * AT_ONCE)))
    assert (most, under_way) == (AT_ONCE, 0)


async def test_a_key_is_not_taken_for_the_number_of_a_call() -> None:
    async def handler(task: Task) -> bool:
        first = await task.submit({"page": 1})
        return bool(first != await task.submit({"page": 1}, key="1.1"))

    assert (await run_task(handler)).result is True


async def test_a_plain_function_is_given_it_in_its_thread() -> None:
    def handler(task: Task) -> str:
        return str(task.submit({"page": 1}, priority="high").priority.value)

    assert (await run_task(handler)).result == "high"


async def test_what_has_one_key_is_one_task_and_another_under_it_is_refused() -> None:
    async def handler(task: Task) -> bool:
        first = await task.submit({"page": 1}, key="1.1")
        again = await task.submit({"page": 1}, key="1.1")
        with pytest.raises(SubmissionRefused, match="choose a new key"):
            await task.submit({"page": 2}, key="1.1")
        return bool(first == again)

    ran = await run_task(handler)
    assert ran.result is True
    assert len(ran.submitted) == 1


@pytest.mark.parametrize(
    ("data", "options", "why"),
    [
        ({"task_id": "mine"}, {}, "pass a key"),
        ({}, {"priority": "hihg"}, "Invalid priority: hihg"),
    ],
)
async def test_what_a_coordinator_refuses_is_refused_in_a_test(
    data: dict[str, Any], options: dict[str, Any], why: str
) -> None:
    async def handler(task: Task) -> None:
        with pytest.raises(SubmissionRefused, match=why):
            await task.submit(data, **options)

    ran = await run_task(handler)
    assert ran.result is None
    assert not ran.submitted


async def test_a_handler_that_lets_a_refusal_pass_has_failed_for_good() -> None:
    async def handler(task: Task) -> None:
        await task.submit({"page": 1}, key="page")
        await task.submit({"page": 2}, key="page")

    outcome = (await run_task(handler)).outcome
    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.retryable) == ("SubmissionRefused", False)
    assert "choose a new key" in outcome.error.message


async def test_options_are_told_as_the_api_has_them() -> None:
    async def handler(task: Task) -> None:
        await task.submit(
            {"page": 1},
            priority=Priority.URGENT,
            not_before=datetime(2026, 5, 7, tzinfo=UTC),
            tags=("a", "b"),
            cancel_with_parent=True,
        )

    [body] = (await run_task(handler)).submitted
    assert body == {
        "task_data": {"page": 1},
        "priority": "urgent",
        "not_before": "2026-05-07T00:00:00+00:00",
        "tags": ["a", "b"],
        "cancel_with_parent": True,
    }


@pytest.mark.parametrize(
    ("data", "more", "error"),
    [
        ({"page": {1}}, {}, "ValueError"),
        ({}, {"key": ""}, "ValueError"),
        ({}, {"key": "k" * (LONGEST_KEY + 1)}, "ValueError"),
        ({}, {"prioritiy": "high"}, "TypeError"),
    ],
)
async def test_what_cannot_be_sent_is_said_in_the_handler(
    data: dict[str, Any], more: dict[str, Any], error: str
) -> None:
    async def handler(task: Task) -> None:
        await task.submit(data, **more)

    ran = await run_task(handler)
    assert ran.error.type == error
    assert not ran.submitted


async def test_a_thread_that_is_told_to_stop_waits_no_more() -> None:
    calls = CallsFromHandlers()
    begun, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def never() -> None:
        begun.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            calls.call(never)
        except CancelledError:
            loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=wait)
    thread.start()
    async with asyncio.timeout(timedelta(seconds=20).total_seconds()):
        await begun.wait()
        calls.end()
        await ended.wait()
    thread.join(20)
