"""Two coordinators on one PostgreSQL serve the same load, and one of them is killed."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.domain.task import ENDED
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually
from tests.unit.registry.answers import answers, totals_agree

SUBMITTERS = 4
ALONE, BEFORE, AFTER = 10, 120, 120
"""Tasks that are accepted by one alone, by both, and around the moment at which one is killed."""
PATIENCE = 90


class Producer:
    """Submits to whichever coordinator takes it: what bears an id of its own is safely sent again."""

    def __init__(self, doors: list[httpx.AsyncClient]) -> None:
        self.doors = doors
        self._numbers = itertools.count()
        self.accepted: dict[str, int] = {}
        """By id, the door that answered 200."""
        self.sent_again = 0

    async def run(self, until: int) -> None:
        """Until so many are accepted, or a few more."""

        async def submit() -> None:
            for number in self._left(until):
                await self._submitted(number)

        await asyncio.gather(*(submit() for _ in range(SUBMITTERS)))

    def _left(self, until: int) -> Iterator[int]:
        while len(self.accepted) < until:
            yield next(self._numbers)

    async def _submitted(self, number: int) -> None:
        task_id = f"task-{number}"
        body = {
            "task_data": {"task_id": task_id, "failures": 1 if number % 5 == 0 else 0},
            "backoff": {"first_seconds": 0.2},
            "max_attempts": 3,
        }
        for turn in itertools.count(number):
            door = turn % len(self.doors)
            try:
                answer = await self.doors[door].post("/tasks/submit", json=body)
            except httpx.TransportError:
                self.sent_again += 1
                continue
            if answer.status_code == 200:
                self.accepted[task_id] = door
                return
            assert answer.status_code == 503, answer.text
            self.sent_again += 1


async def stats(http: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await get(http, "/tasks/status"))["stats"]
    return found


async def fleet(http: httpx.AsyncClient) -> dict[str, Any]:
    found = (await get(http, "/agents"))["agents"]
    return {one["agent_id"]: (one["status"], one["registration_time"]) for one in found}


async def all_ended(http: httpx.AsyncClient, count: int) -> bool:
    found = await stats(http)
    assert found["tasks_distributed"] <= count
    return bool(found["tasks_completed"] == count)


async def alike(one: httpx.AsyncClient, other: httpx.AsyncClient) -> bool:
    return bool(await stats(one) == await stats(other) and await fleet(one) == await fleet(other))


@pytest.mark.slow
@pytest.mark.any_broker
@pytest.mark.timeout(300)
async def test_one_of_two_coordinators_is_killed_under_load_and_nothing_is_lost(
    broker: Broker, postgres_url: str, tmp_path: Path
) -> None:
    environment = {"COORDINATOR_DATABASE_URL": postgres_url}
    serve = partial(service, broker.url, environment=environment)
    async with (
        serve(tmp_path / "1") as (doomed, first_url),
        client(first_url) as first,
        agent_process(broker.url, tmp_path / "ada.out", "ada"),
        agent_process(broker.url, tmp_path / "bob.out", "bob"),
    ):
        await ready(first)
        producer = Producer([first])
        await producer.run(ALONE)
        count = len(producer.accepted)
        await eventually(partial(all_ended, first, count), timeout=PATIENCE)  # it reads the log
        async with serve(tmp_path / "2") as (_, second_url), client(second_url) as second:
            await ready(second)
            await heard_by_both(first, second)
            producer.doors.append(second)
            await producer.run(BEFORE)
            assert set(producer.accepted.values()) == {0, 1}
            count = len(producer.accepted)
            await eventually(partial(all_ended, first, count), timeout=PATIENCE)
            await eventually(partial(alike, first, second), timeout=PATIENCE)

            producing = asyncio.create_task(producer.run(count + AFTER))
            enough = count + AFTER // 4
            await eventually(lambda: len(producer.accepted) > enough, timeout=PATIENCE)
            doomed.signal(signal.SIGKILL)
            await doomed.wait()
            await asyncio.wait_for(producing, PATIENCE)
            assert producer.sent_again, "nobody noticed"

            count = len(producer.accepted)
            await eventually(partial(all_ended, second, count), timeout=PATIENCE)
            for task_id in producer.accepted:
                found = (await get(second, f"/tasks/{task_id}"))["task"]
                assert found["state"] == "completed", task_id
            async with serve(tmp_path / "3") as (_, third_url), client(third_url) as third:
                await ready(third)
                await eventually(partial(alike, second, third), timeout=PATIENCE)
                assert (await stats(third))["tasks_distributed"] == count
    async with Ledger(postgres_url) as ledger:
        live = await answers(ledger)
        assert {row["task_id"] for row in live["tasks"]} == producer.accepted.keys()
        assert {row["state"] for row in live["tasks"]} <= ENDED
        assert await totals_agree(ledger)
        await ledger.write(rebuild)
        assert await answers(ledger) == live


async def heard_by_both(one: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    """An agent that registers and beats over HTTP, here and there, is the same everywhere."""
    lone = {"agent_id": "lone", "agent_type": "worker"}
    assert (await one.post("/agents/register", json=lone)).status_code == 200
    told: set[str] = set()
    for here, there in ((one, other), (other, one)):
        before = (await get(there, "/agents/lone"))["agent"]["last_heartbeat"]
        beat = {"load_metrics": {"cpu_usage": 0.25 * (1 + len(told))}}
        assert (await here.post("/agents/lone/heartbeat", json=beat)).status_code == 200

        async def heard(there: httpx.AsyncClient, beat: dict[str, Any], before: str) -> bool:
            found = (await get(there, "/agents/lone"))["agent"]
            same = found["load_metrics"] == beat["load_metrics"]
            return bool(same and found["last_heartbeat"] > before)

        await eventually(partial(heard, there, beat, before), timeout=PATIENCE)
        told.add(before)
