"""A task that kills its agent every time, through the API of a whole system of processes."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from consumers._working.give_back_limit import GIVE_BACKS
from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually

MAX_ATTEMPTS = 2


@pytest.mark.slow
async def test_a_task_that_kills_every_agent_ends_dead_and_the_others_complete(
    broker: Broker, tmp_path: Path
) -> None:
    lives: list[str] = []

    async def supervised(agent_id: str) -> None:
        """Started again whenever it has died, as a supervisor does."""
        while True:
            output = tmp_path / f"{agent_id}-{len(lives)}.out"
            lives.append(agent_id)
            async with agent_process(broker.url, output, agent_id) as process:
                await process.wait(within=600)

    async with (
        service(broker.url, tmp_path / "service") as (_, url),
        client(url) as http,
        AsyncExitStack() as stack,
    ):
        await ready(http)
        deadly = {"task_data": {"deadly": True}, "max_attempts": MAX_ATTEMPTS}
        poison = (await http.post("/tasks/submit", json=deadly)).json()["task_id"]
        harmless = [{"task_data": {"n": n}, "priority": "low"} for n in range(30)]
        batch = await http.post("/tasks/submit/batch", json={"tasks": harmless})
        assert batch.json()["accepted"] == 30
        for agent_id in ("ada", "bob"):
            supervisor = asyncio.create_task(supervised(agent_id))
            stack.push_async_callback(asyncio.wait, [supervisor])
            stack.callback(supervisor.cancel)

        async def dead() -> bool:
            return bool((await get(http, f"/tasks/{poison}"))["task"]["state"] == "dead")

        async def others_done() -> bool:
            stats = (await get(http, "/tasks/status"))["stats"]
            return bool(stats["tasks_completed"] == 30)

        await eventually(dead, timeout=120)
        await eventually(others_done, timeout=60)
        task = (await get(http, f"/tasks/{poison}"))["task"]
        assert task["error"]["type"] == "CrashLoop"
        assert task["attempt"] == MAX_ATTEMPTS
        found = await get(http, "/tasks/dead")
        assert [group["error_type"] for group in found["groups"]] == ["CrashLoop"]
        assert (await get(http, "/tasks/status"))["stats"]["tasks_failed"] == 1
    assert len(lives) - 2 <= MAX_ATTEMPTS + GIVE_BACKS
