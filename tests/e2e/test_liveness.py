"""What is told of agents that are killed, frozen, doubled, and heard by nobody, with real processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.processes import Process, agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually

STALE_AFTER = 6
SETTINGS = {
    "COORDINATOR_STALE_AFTER": str(STALE_AFTER),
    "COORDINATOR_HEARTBEAT_INTERVAL": "1",
    "COORDINATOR_SNAPSHOT_INTERVAL": "1",
}
FOR_EVER_MS = 3_600_000
PATIENCE = 60

pytestmark = [pytest.mark.slow, pytest.mark.any_broker, pytest.mark.timeout(240)]


@asynccontextmanager
async def coordinator(
    amqp_url: str, folder: Path
) -> AsyncIterator[tuple[Process, httpx.AsyncClient]]:
    async with (
        service(amqp_url, folder, environment=SETTINGS) as (process, url),
        client(url) as http,
    ):
        await ready(http)
        yield process, http


async def agent(http: httpx.AsyncClient, agent_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await get(http, f"/agents/{agent_id}"))["agent"]
    return found


async def is_(http: httpx.AsyncClient, agent_id: str, status: str) -> bool:
    answer = await http.get(f"/agents/{agent_id}")
    return answer.status_code == 200 and answer.json()["agent"]["status"] == status


async def task(http: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
    return found


async def submitted(http: httpx.AsyncClient) -> str:
    answer = await http.post("/tasks/submit", json={"task_data": {}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


async def runs_at(http: httpx.AsyncClient, task_id: str, agent_id: str) -> bool:
    found = await task(http, task_id)
    return (found["state"], found["agent_id"]) == ("running", agent_id)


async def completed_by(http: httpx.AsyncClient, task_id: str, agent_id: str) -> bool:
    found = await task(http, task_id)
    return (found["state"], found["agent_id"]) == ("completed", agent_id)


async def told(http: httpx.AsyncClient, task_id: str, what: str) -> list[str]:
    """The agents that told this of the task, in order."""
    events = (await get(http, f"/tasks/{task_id}/events"))["events"]
    return [event["agent_id"] for event in events if event["type"] == what]


async def test_a_killed_agent_is_stale_and_another_does_its_task(
    broker: Broker, tmp_path: Path
) -> None:
    async with coordinator(broker.url, tmp_path / "service") as (_, http):
        long = partial(agent_process, slots=1, work_ms=FOR_EVER_MS)
        async with long(broker.url, tmp_path / "ada.out", "ada") as ada:
            task_id = await submitted(http)
            await eventually(partial(runs_at, http, task_id, "ada"), timeout=PATIENCE)
            well = (await agent(http, "ada"))["health_score"]
            ada.signal(signal.SIGKILL)
            await ada.wait()
        async with agent_process(broker.url, tmp_path / "bob.out", "bob"):
            await eventually(partial(completed_by, http, task_id, "bob"), timeout=PATIENCE)
            assert await told(http, task_id, "task.started") == ["ada", "bob"]
            await eventually(partial(is_, http, "ada", "stale"), timeout=PATIENCE)
            assert (await agent(http, "ada"))["health_score"] == 0.0 < well
            assert (await agent(http, "bob"))["status"] == "active"


async def test_a_frozen_agent_is_stale_and_what_it_says_late_counts_for_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    """The broker notices a frozen agent by its heartbeats, which are as often as its address says."""
    url = f"{broker.url}?heartbeat=3"
    async with (
        coordinator(broker.url, tmp_path / "service") as (_, http),
        agent_process(url, tmp_path / "ada.out", "ada", slots=1, work_ms=3000) as ada,
    ):
        task_id = await submitted(http)
        await eventually(partial(runs_at, http, task_id, "ada"), timeout=PATIENCE)
        ada.signal(signal.SIGSTOP)
        try:
            async with agent_process(url, tmp_path / "bob.out", "bob"):
                await eventually(partial(completed_by, http, task_id, "bob"), timeout=PATIENCE)
                await eventually(partial(is_, http, "ada", "stale"), timeout=PATIENCE)
        finally:
            ada.signal(signal.SIGCONT)

        async def said_late() -> bool:
            return (await told(http, task_id, "task.completed")) == ["bob", "ada"]

        await eventually(said_late, timeout=PATIENCE)
        found = await task(http, task_id)
        assert (found["agent_id"], found["result"]["by"]) == ("bob", "bob")
        totals = (await get(http, "/tasks/status"))["stats"]
        assert totals["tasks_completed"] == 1
        await eventually(partial(is_, http, "ada", "active"), timeout=PATIENCE)


async def test_a_coordinator_that_was_down_never_calls_the_fleet_stale(
    broker: Broker, tmp_path: Path
) -> None:
    """For longer than agents may be silent. `lone` beats over HTTP, so to nobody meanwhile."""
    folder = tmp_path / "service"
    async with agent_process(broker.url, tmp_path / "ada.out", "ada"):
        async with coordinator(broker.url, folder) as (process, http):
            await eventually(partial(is_, http, "ada", "active"), timeout=PATIENCE)
            lone = {"agent_id": "lone", "agent_type": "worker"}
            assert (await http.post("/agents/register", json=lone)).status_code == 200
            before = (await agent(http, "ada"))["last_heartbeat"]
            process.signal(signal.SIGKILL)
            await process.wait()
        await asyncio.sleep(STALE_AFTER + 1)  # the fact that is waited for is that time itself
        async with (
            service(broker.url, folder, environment=SETTINGS) as (_, url),
            client(url) as http,
        ):

            async def heard_again() -> bool:
                fleet = {one["agent_id"]: one for one in (await get(http, "/agents"))["agents"]}
                assert {one["status"] for one in fleet.values()} <= {"active"}
                return len(fleet) == 2 and fleet["ada"]["last_heartbeat"] > before

            await eventually(heard_again, timeout=PATIENCE)
            # While it listens, silence counts again.
            await eventually(partial(is_, http, "lone", "stale"), timeout=PATIENCE)
            assert (await http.post("/agents/lone/heartbeat")).status_code == 200
            assert (await agent(http, "lone"))["status"] == "active"


async def test_two_processes_under_one_id_are_reported(broker: Broker, tmp_path: Path) -> None:
    async with (
        coordinator(broker.url, tmp_path / "service") as (process, http),
        agent_process(broker.url, tmp_path / "one.out", "twin"),
    ):
        await eventually(partial(is_, http, "twin", "active"), timeout=PATIENCE)
        assert "other_instance" not in (await agent(http, "twin"))["metadata"]
        async with agent_process(broker.url, tmp_path / "two.out", "twin"):
            await eventually(partial(reported, http), timeout=PATIENCE)
            assert "two processes use the same agent id" in process.printed

        async def forgotten() -> bool:
            return not await reported(http)

        await eventually(forgotten, timeout=PATIENCE)


async def reported(http: httpx.AsyncClient) -> bool:
    return "other_instance" in (await agent(http, "twin"))["metadata"]
