"""A queue is purged by hand under a whole service with agents, and its tasks run in the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from consumers import Task
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from tests.support.broker import Broker
from tests.support.serving import serving
from tests.support.waiting import eventually

SLOW = Requirements(capabilities=("slow",)).as_dict()


@pytest.mark.slow
async def test_what_was_purged_by_hand_runs_in_the_end_and_what_waits_runs_once(
    broker: Broker, tmp_path: Path
) -> None:
    runs: list[str] = []
    release = asyncio.Event()
    async with serving(broker, tmp_path, reconcile_after=1) as service:
        purged = [await service.submit() for _ in range(5)]
        agent = service.agent("quick")
        agent.default(lambda task: runs.append(task.id))
        busy = service.agent("busy", capabilities=["slow"])

        @busy.default
        async def hold(task: Task) -> None:
            runs.append(task.id)
            await release.wait()

        held = [await service.submit(requirements=SLOW) for _ in range(10)]
        await broker.management.delete(
            "queues", broker.vhost, TaskQueue("any", Priority.NORMAL).queue, "contents"
        )
        async with agent.running():
            later = [await service.submit() for _ in range(3)]
            for task_id in (*later, *purged):
                assert (await service.ends(task_id))["state"] == "completed"
            async with busy.running():
                await eventually(lambda: held[0] in runs, timeout=60)
                again = [await service.submit() for _ in range(3)]
                for task_id in again:
                    await service.ends(task_id)
                release.set()
                for task_id in held:
                    assert (await service.ends(task_id))["state"] == "completed"
        answer = await service.http.get(f"/tasks/{purged[0]}/events")
        messages = [one for one in answer.json()["events"] if one["type"] == "task.submitted"]
        assert len(messages) == 2
    assert sorted(runs) == sorted([*purged, *later, *held, *again])
