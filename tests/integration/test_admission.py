"""Limits on what waits, with a real broker: refused in time, taken again when agents caught up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from consumers import Task
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually


async def test_beyond_the_limit_submissions_are_refused_and_what_was_accepted_goes_on(
    broker: Broker, tmp_path: Path
) -> None:
    may_fail, release = asyncio.Event(), asyncio.Event()
    async with serving(broker, tmp_path, max_queued_tasks=3) as service:
        agent = service.agent()

        @agent.default
        async def work(task: Task) -> None:
            if task.attempt == 1 and task.data.get("fails"):
                await may_fail.wait()
                raise ValueError("not this time")
            await release.wait()

        async def taken() -> bool:
            answer = await service.http.post("/tasks/submit", json={"task_data": {}})
            return answer.status_code == 200

        async with agent.running():
            failing = await service.submit(task_data={"fails": True}, max_attempts=2)
            await service.becomes(failing, "running")
            waiting = [{"task_data": {"n": n}} for n in range(5)]
            batch = await service.post("/tasks/submit/batch", tasks=waiting)
            statuses = [result["status"] for result in batch["results"]]
            assert statuses == ["accepted"] * 3 + ["rejected"] * 2
            assert batch["results"][3]["error"]["status_code"] == 503

            answer = await service.http.post("/tasks/submit", json={"task_data": {}})
            assert answer.status_code == 503
            assert answer.json()["detail"] == "Task distributor not available"
            assert "COORDINATOR_MAX_QUEUED_TASKS allows 3" in answer.json()["reason"]
            assert int(answer.headers["Retry-After"]) > 0
            health = (await service.http.get("/health")).json()
            assert health["status"] == "degraded"
            assert "COORDINATOR_MAX_QUEUED_TASKS" in health["problems"][0]
            assert (await service.http.get("/health/ready")).status_code == 200

            later = {"task_data": {}, "delay_seconds": 3600}
            assert (await service.post("/tasks/submit", **later))["status"] == "success"
            may_fail.set()
            release.set()
            assert (await service.ends(failing))["state"] == "completed"
            await eventually(taken, timeout=60)
        assert (await service.http.get("/health")).json()["status"] == "healthy"
