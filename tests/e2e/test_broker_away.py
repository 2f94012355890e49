"""The broker stops and comes back under a running system."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.processes import agent_process, client, get, ready, service
from tests.support.broker import OwnBroker
from tests.support.waiting import eventually


@pytest.mark.slow
async def test_submissions_answer_503_while_the_broker_is_away_and_everything_comes_back(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    async with (
        service(own_broker.url, tmp_path / "service") as (_, base_url),
        agent_process(own_broker.url, tmp_path / "agent.out", "steady"),
        client(base_url) as http,
    ):
        body = {"task_data": {"n": 1}, "priority": "high"}
        accepted: list[str] = []

        async def submitted() -> bool:
            answer = await http.post("/tasks/submit", json=body)
            if answer.status_code == 200:
                accepted.append(answer.json()["task_id"])
                return True
            assert answer.status_code == 503
            return False

        async def completed(count: int) -> dict[str, Any] | None:
            answer = await http.get("/tasks/status")
            if answer.status_code != 200:
                return None
            stats: dict[str, Any] = answer.json()["stats"]
            return stats if stats["tasks_completed"] >= count else None

        await eventually(submitted, timeout=60)
        for _ in range(20):
            assert await submitted()
        await eventually(lambda: completed(len(accepted)), timeout=60)

        await own_broker.stop()
        refused = await http.post("/tasks/submit", json=body)
        assert refused.status_code == 503
        assert refused.json()["detail"] == "Task distributor not available"
        assert int(refused.headers["Retry-After"]) >= 1
        assert (await http.get("/tasks/status")).status_code == 503
        assert (await http.get("/tasks/queues")).status_code == 503
        health = await get(http, "/health")
        assert health["status"] == "degraded"
        known = await get(http, f"/tasks/{accepted[0]}")
        assert known["task"]["state"] == "completed"

        await own_broker.start()
        await eventually(submitted, timeout=60)
        for _ in range(20):
            assert await submitted()
        stats = await eventually(lambda: completed(len(accepted)), timeout=60)
        assert stats["tasks_distributed"] == len(accepted)
        assert stats["tasks_completed"] == len(accepted)
        assert stats["tasks_failed"] == 0

        async def healthy() -> bool:
            return bool((await get(http, "/health"))["status"] == "healthy")

        await eventually(healthy, timeout=60)


@pytest.mark.slow
async def test_the_service_starts_before_its_broker(own_broker: OwnBroker, tmp_path: Path) -> None:
    await own_broker.stop()
    async with (
        service(own_broker.url, tmp_path / "service") as (_, base_url),
        client(base_url) as http,
    ):
        refused = await http.post("/tasks/submit", json={"task_data": {}, "priority": "low"})
        assert refused.status_code == 503
        assert (await http.get("/health/live")).status_code == 200
        assert (await http.get("/health/ready")).status_code == 503
        await own_broker.start()

        async def accepted() -> bool:
            answer = await http.post("/tasks/submit", json={"task_data": {}, "priority": "low"})
            return answer.status_code == 200

        await eventually(accepted, timeout=60)
        assert (await http.get("/health/ready")).status_code == 200


async def test_agents_go_on_while_no_coordinator_runs(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    data_dir = tmp_path / "service"
    async with agent_process(own_broker.url, tmp_path / "agent.out", "steady", work_ms=20):
        async with service(own_broker.url, data_dir) as (_, base_url), client(base_url) as http:
            await eventually(lambda: registered(http, "steady"), timeout=60)
            answers = await asyncio.gather(
                *(http.post("/tasks/submit", json={"task_data": {}}) for _ in range(200))
            )
            assert [answer.status_code for answer in answers] == [200] * 200

        async def drained() -> bool:
            return await own_broker.depth("tasks.any.normal") == 0

        await eventually(drained, timeout=60)
        async with service(own_broker.url, data_dir) as (_, base_url), client(base_url) as http:
            await ready(http)

            async def told() -> bool:
                stats = (await get(http, "/tasks/status"))["stats"]
                return bool(stats["tasks_completed"] == 200)

            await eventually(told, timeout=60)


async def registered(http: Any, agent_id: str) -> bool:
    return bool((await http.get(f"/agents/{agent_id}")).status_code == 200)
