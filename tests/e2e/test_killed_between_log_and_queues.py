"""A coordinator is killed when the log has the tasks of a batch and their queues have nothing: nobody was
answered; who asks again is answered 200, and each task is done once.
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import Broker
from tests.support.waiting import eventually

SOON = {"COORDINATOR_RECONCILE_AFTER": "1"}
TASKS = [{"task_data": {"task_id": f"between-{number}"}} for number in range(8)]


@pytest.mark.slow
@pytest.mark.parametrize("projector", ["same", "own"])
async def test_what_the_log_alone_has_is_done_once_after_it_was_asked_for_again(
    broker: Broker, tmp_path: Path, projector: str
) -> None:
    data = tmp_path / "service"
    started = service(broker.url, data, module="tests.e2e.killed_between")
    async with started as (process, url), client(url) as http:
        await ready(http)
        with pytest.raises(httpx.TransportError):
            await http.post("/tasks/submit/batch", json={"tasks": TASKS})
        assert await process.wait() == -9, process.printed

    environment = SOON | {"COORDINATOR_PROJECTOR": projector}
    async with (
        service(broker.url, data, environment=environment) as (_, url),
        client(url) as http,
        agent_process(broker.url, tmp_path / "agent.out", "ada", slots=2),
    ):
        await ready(http)
        again = await http.post("/tasks/submit/batch", json={"tasks": TASKS})
        assert again.json()["accepted"] == len(TASKS), again.text
        for task in TASKS:
            await done_once(http, task["task_data"]["task_id"])


async def done_once(http: httpx.AsyncClient, task_id: str) -> None:
    async def done() -> bool:
        task = (await get(http, f"/tasks/{task_id}"))["task"]
        return bool(task["state"] == "completed")

    await eventually(done, timeout=60)
    told = [one["type"] for one in (await get(http, f"/tasks/{task_id}/events"))["events"]]
    assert told.count("task.started") == told.count("task.completed") == 1
