"""An agent is drained over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually


async def test_a_drained_agent_finishes_what_runs_takes_nothing_more_and_stops(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        service(broker.url, tmp_path / "service") as (_, base_url),
        client(base_url) as http,
        agent_process(broker.url, tmp_path / "agent.out", "ada", slots=1, work_ms=1500) as agent,
    ):
        await ready(http)

        async def task(task_id: str) -> dict[str, Any]:
            found: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
            return found

        async def running() -> bool:
            return bool((await task("first"))["state"] == "running")

        async def completed() -> bool:
            return bool((await task("first"))["state"] == "completed")

        async def said_goodbye() -> bool:
            return bool((await get(http, "/agents/ada"))["agent"]["status"] == "inactive")

        for task_id in ("first", "second"):
            answer = await http.post("/tasks/submit", json={"task_data": {"task_id": task_id}})
            assert answer.status_code == 200
        await eventually(running, timeout=60)
        answer = await http.post("/agents/ada/drain")
        assert answer.json()["told"] is True
        assert (await get(http, "/agents/ada"))["agent"]["status"] == "draining"
        assert await agent.wait(within=60) == 0
        await eventually(completed, timeout=60)
        await eventually(said_goodbye, timeout=60)
        assert (await task("second"))["state"] == "queued"
        again = await http.post("/agents/ada/drain")
        assert again.json()["told"] is False
