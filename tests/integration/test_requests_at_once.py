"""Requests that act on the same tasks at the same time, through two coordinators: one wins, and what each is
told is so.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers import Task
from tests.support.broker import Broker
from tests.support.serving import Service, serving
from tests.support.waiting import eventually

pytestmark = pytest.mark.any_broker

BURSTS = 8


@pytest.fixture
async def two(broker: Broker, tmp_path: Path, ledger_url: str) -> AsyncIterator[list[Service]]:
    settings: dict[str, Any] = {"database_url": ledger_url}
    async with (
        serving(broker, tmp_path, **settings) as one,
        serving(broker, tmp_path, **settings) as other,
    ):
        yield [one, other]


async def dies(two: list[Service], count: int) -> list[str]:
    """Tasks that are dead, as both know."""

    agent = two[0].agent("failing")

    @agent.default
    async def fail(task: Task) -> None:
        raise ValueError("as it should")

    async with agent.running():
        ids = [await two[0].submit(max_attempts=1) for _ in range(count)]
        for side in two:
            for task_id in ids:
                await side.becomes(task_id, "dead")
    return ids


async def burst(*calls: Any) -> list[int]:
    """The statuses of requests that are sent at once; one that could not be told yet is sent again."""

    async def certain(call: Any) -> int:
        while (answer := await call()).status_code == 503:
            assert "ask again" in answer.json()["detail"]
        assert answer.status_code in (200, 404, 409), answer.text
        return int(answer.status_code)

    return list(await asyncio.gather(*map(certain, calls)))


def call(service: Service, method: str, path: str) -> Any:
    async def send() -> httpx.Response:
        return await service.http.request(method, path)

    return send


async def is_there(service: Service, task_id: str, there: bool) -> None:
    """A coordinator that has published something about the task itself may show it for a moment longer."""

    async def as_it_should() -> bool:
        answer = await service.http.get(f"/tasks/{task_id}")
        return answer.status_code == (200 if there else 404)

    await eventually(as_it_should)


async def test_of_a_delete_and_a_retry_one_wins_and_the_other_is_told(two: list[Service]) -> None:
    ours, theirs = two
    for number, task_id in enumerate(await dies(two, BURSTS)):
        side = (ours, theirs)[number % 2]
        deleted, retried = await burst(
            call(ours, "DELETE", f"/tasks/{task_id}"), call(side, "POST", f"/tasks/{task_id}/retry")
        )
        assert (deleted, retried) in {(200, 404), (409, 200)}
        await is_there(ours, task_id, deleted != 200)
        await is_there(theirs, task_id, deleted != 200)


async def test_of_many_retries_one_is_told_that_it_was_the_one(two: list[Service]) -> None:
    for task_id in await dies(two, BURSTS):
        told = await burst(*(call(side, "POST", f"/tasks/{task_id}/retry") for side in two * 2))
        assert sorted(told) == [200, 409, 409, 409]


async def test_of_many_cancels_one_is_told_that_it_was_the_one(two: list[Service]) -> None:
    for _ in range(BURSTS):
        task_id = await two[0].submit()
        told = await burst(*(call(side, "POST", f"/tasks/{task_id}/cancel") for side in two * 2))
        assert sorted(told) == [200, 409, 409, 409]


@pytest.mark.slow
async def test_whatever_a_burst_of_all_of_them_is_told_is_so(two: list[Service]) -> None:
    ours, theirs = two
    for task_id in await dies(two, BURSTS):
        retried, cancelled, deleted, again = await burst(
            call(ours, "POST", f"/tasks/{task_id}/retry"),
            call(theirs, "POST", f"/tasks/{task_id}/cancel"),
            call(ours, "DELETE", f"/tasks/{task_id}"),
            call(theirs, "POST", f"/tasks/{task_id}/retry"),
        )
        retries = (retried, again).count(200)
        await is_there(ours, task_id, deleted != 200)
        await is_there(theirs, task_id, deleted != 200)
        if deleted == 200:
            continue
        task = await theirs.task(task_id)
        assert retries >= 1
        assert task["generation"] == 1 + retries
        assert (cancelled == 200) == (retries == 2 or task["state"] == "cancelled")


async def test_redrives_at_once_tell_each_task_once(two: list[Service]) -> None:
    ids = await dies(two, 30)
    answers = await asyncio.gather(
        *(side.post("/tasks/dead/redrive", rate_per_second=0.01) for side in two * 2)
    )
    assert sum(answer["redriven"] for answer in answers) == 30
    told = Counter(answer["message"].split()[0] for answer in answers)
    assert sum(int(count) * times for count, times in told.items()) == 30

    async def all_again() -> bool:
        return all([(await two[1].task(task_id))["generation"] == 2 for task_id in ids])

    await eventually(all_again)
