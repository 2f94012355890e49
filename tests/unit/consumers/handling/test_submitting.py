"""A handler submits follow-up tasks: in a thread and on the loop, by number and by key."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import CancelledError
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers import SubmissionRefused, Task
from consumers._handling.calls_from_handlers import CallsFromHandlers
from consumers._values.follow_up_wish import LONGEST_KEY
from consumers.testing import run_task
from coordinator.protocol.priority import Priority


async def test_each_call_is_a_task_of_its_own() -> None:
    async def handler(task: Task) -> list[str]:
        return [(await task.submit({"page": number})).id for number in (1, 1, 2)]

    ran = await run_task(handler)
    assert len(set(ran.result)) == 3
    assert [one["task_data"] for one in ran.submitted] == [{"page": 1}, {"page": 1}, {"page": 2}]


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
            calls.call(never())
        except CancelledError:
            loop.call_soon_threadsafe(ended.set)

    thread = threading.Thread(target=wait)
    thread.start()
    async with asyncio.timeout(timedelta(seconds=20).total_seconds()):
        await begun.wait()
        calls.end()
        await ended.wait()
    thread.join(20)
