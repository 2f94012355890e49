"""A coordinator is killed at each step of a retry: the retry comes, and it counts once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.killed_at import STEPS
from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually


@pytest.mark.slow
@pytest.mark.any_broker
async def test_a_retry_survives_a_kill_at_each_step_and_counts_once(
    broker: Broker, tmp_path: Path
) -> None:
    data = tmp_path / "service"
    async with agent_process(broker.url, tmp_path / "agent.out", "ada"):
        for step in STEPS:
            kills = {"KILL_AT": step, "KILL_TASK": step}
            started = service(broker.url, data, environment=kills, module="tests.e2e.killed_at")
            async with started as (process, url), client(url) as http:
                await ready(http)
                answer = await http.post("/tasks/submit", json=fails_once(step))
                assert answer.status_code == 200, answer.text
                assert await process.wait() == -9, process.printed
        async with service(broker.url, data) as (_, url), client(url) as http:
            await ready(http)
            for step in STEPS:
                await counted_once(http, step)
            stats = (await get(http, "/tasks/status"))["stats"]
    assert stats["tasks_completed"] == len(STEPS)
    counted = stats["load_balancer_stats"]
    assert counted["total_assignments"] == 2 * len(STEPS)
    assert counted["failed_assignments"] == len(STEPS)


def fails_once(task_id: str) -> dict[str, Any]:
    return {
        "task_data": {"task_id": task_id, "failures": 1},
        "max_attempts": 2,
        "backoff": {"first_seconds": 0.2},
    }


async def counted_once(http: httpx.AsyncClient, task_id: str) -> None:
    async def done() -> bool:
        task = (await get(http, f"/tasks/{task_id}"))["task"]
        return bool(task["state"] == "completed")

    await eventually(done, timeout=60)
    assert (await get(http, f"/tasks/{task_id}"))["task"]["attempt"] == 2
    events = (await get(http, f"/tasks/{task_id}/events"))["events"]
    told = [one["type"] for one in events]
    assert told.count("task.failed") == 1
    assert told.count("task.submitted") == 2
    # What was sent and not marked may be sent again, and run twice: it counts once, see the totals.
    assert told.count("task.completed") in (1, 2)
    (error,) = [one["details"]["error"] for one in events if one["type"] == "task.failed"]
    assert (error["type"], error["message"]) == ("RuntimeError", "asked to fail")
    assert "in work" in error["traceback"]
