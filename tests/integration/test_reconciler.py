"""A queue is purged by hand under a whole service with agents, and its tasks run in the end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from consumers import Task
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from tests.support.broker import Broker
from tests.support.serving import SECRET, serving
from tests.support.waiting import eventually

SLOW = Requirements(capabilities=("slow",)).as_dict()


@pytest.mark.parametrize("apart", [False, True], ids=["one-process", "projector-apart"])
async def test_a_task_in_the_log_alone_that_is_submitted_again_is_done_once(
    broker: Broker, tmp_path: Path, apart: bool
) -> None:
    """So a coordinator leaves it that is killed between the record and the queue: nobody was answered."""
    runs: list[str] = []
    async with serving(broker, tmp_path, apart=apart, reconcile_after=1) as service:
        data = {"task_id": "left-by-halves"}
        await service.submit(
            task_id="left-by-halves",
            task_data=data,
            task_token=task_token(SECRET.encode(), "left-by-halves", 1, 1),
            backoff=None,
            log_alone=True,
        )
        await service.becomes("left-by-halves", "queued")
        again = await service.post("/tasks/submit", task_data=data)
        assert again["task_id"] == "left-by-halves"
        agent = service.agent("quick")
        agent.default(lambda task: runs.append(task.id))
        async with agent.running():
            assert (await service.ends("left-by-halves"))["state"] == "completed"
    assert runs == ["left-by-halves"]


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
