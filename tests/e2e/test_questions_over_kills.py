"""Questions and answers over SIGKILL: of the agent that asked, of the coordinator that took the answer."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.processes import Process, client, get, ready, service, spawned
from tests.support.broker import Broker
from tests.support.ports import free_port
from tests.support.waiting import eventually

TASKS = 12
KILLS = 6


async def asking_agent(stack: AsyncExitStack, broker: Broker, folder: Path, name: str) -> Process:
    return await stack.enter_async_context(
        spawned(
            *(sys.executable, "-m", "consumers", "tests.e2e.asking:agent"),
            output=folder / f"{name}.out",
            environment={
                "COORDINATOR_AMQP_URL": broker.url,
                "XDG_CACHE_HOME": str(folder / name),
                "E2E_ID": name,
            },
        )
    )


async def people(http: httpx.AsyncClient, rng: random.Random) -> None:
    """Answer whatever is asked with what it asks, sometimes twice, for ever."""
    while True:
        try:
            found = await get(http, "/tasks?state=input_required&limit=200")
            for one in found["tasks"]:
                task = (await get(http, f"/tasks/{one['task_id']}"))["task"]
                question = task["question"]
                if question is None:
                    continue
                body = {"answer": question["question"], "question_id": question["question_id"]}
                for _ in range(rng.choice([1, 2])):
                    answer = await http.post(f"/tasks/{one['task_id']}/input", json=body)
                    assert answer.status_code in (200, 409, 503), answer.text
        except (httpx.TransportError, httpx.HTTPStatusError):
            pass  # it was killed a moment before
        await asyncio.sleep(0.05)


async def test_each_task_has_its_answers_whoever_is_killed_meanwhile(
    broker: Broker, tmp_path: Path
) -> None:
    rng = random.Random(7)
    port = free_port()
    async with AsyncExitStack() as stack:
        coordinators = AsyncExitStack()
        await stack.enter_async_context(coordinators)

        async def coordinator() -> tuple[Process, str]:
            return await coordinators.enter_async_context(
                service(broker.url, tmp_path / "data", port=port)
            )

        process, url = await coordinator()
        http = await stack.enter_async_context(client(url))
        await ready(http)
        agents = [await asking_agent(stack, broker, tmp_path, name) for name in ("ada", "bob")]
        ids = []
        for n in range(TASKS):
            data = {"task_type": "ask", "n": n, "release": n % 2 == 0}
            answer = await http.post("/tasks/submit", json={"task_data": data, "max_attempts": 20})
            assert answer.status_code == 200, answer.text
            ids.append(answer.json()["task_id"])

        async def someone_asks() -> bool:
            return bool((await get(http, "/tasks?state=input_required"))["tasks"])

        await eventually(someone_asks, timeout=60)
        answering = asyncio.create_task(people(http, rng))
        stack.callback(answering.cancel)
        for kill in range(KILLS):
            await asyncio.sleep(rng.uniform(0.2, 1.0))  # anywhere in what happens
            if kill % 2:
                process.signal(signal.SIGKILL)
                await process.wait()
                process, _ = await coordinator()
                await ready(http)
            else:
                name = f"agent-{kill}"
                victim = agents.pop(0)
                victim.signal(signal.SIGKILL)
                await victim.wait()
                agents.append(await asking_agent(stack, broker, tmp_path, name))
        for n, task_id in enumerate(ids):

            async def ended(task_id: str = task_id) -> dict[str, Any] | None:
                assert not answering.done(), answering.exception()
                task: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
                return task if task["ended_at"] else None

            task = await eventually(ended, timeout=120)
            assert task["state"] == "completed", task
            assert task["result"] == {"answers": [{"first of": n}, {"second of": n}]}


async def test_a_deadline_that_passed_while_people_were_asked_ends_no_task_whose_agent_is_killed(
    broker: Broker, tmp_path: Path
) -> None:
    """Its message has the deadline of before, by which the next agent rejects it."""
    async with AsyncExitStack() as stack:
        running = service(broker.url, tmp_path / "data", port=free_port())
        _, url = await stack.enter_async_context(running)
        http = await stack.enter_async_context(client(url))
        await ready(http)
        victim = await asking_agent(stack, broker, tmp_path, "ada")

        async def is_there() -> bool:
            return (await http.get("/agents/ada")).status_code == 200

        await eventually(is_there, timeout=60)
        body = {
            "task_data": {"task_type": "ask", "n": 1, "release": False},
            "expires_in_seconds": 8,
        }
        task_id = (await http.post("/tasks/submit", json=body)).json()["task_id"]

        async def is_asked() -> dict[str, Any] | None:
            task: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
            return task if task["state"] == "input_required" else None

        deadline = datetime.fromisoformat((await eventually(is_asked, timeout=60))["expires_at"])

        async def is_over() -> bool:
            return datetime.now(UTC) > deadline

        await eventually(is_over, timeout=30)
        victim.signal(signal.SIGKILL)
        await victim.wait()
        await asking_agent(stack, broker, tmp_path, "bob")

        async def bob_asks() -> bool:
            task = (await get(http, f"/tasks/{task_id}"))["task"]
            assert not task["ended_at"], task
            return task["question"] is not None and task["question"]["agent_id"] == "bob"

        await eventually(bob_asks, timeout=60)
        answering = asyncio.create_task(people(http, random.Random(7)))
        stack.callback(answering.cancel)

        async def ended() -> dict[str, Any] | None:
            task: dict[str, Any] = (await get(http, f"/tasks/{task_id}"))["task"]
            return task if task["ended_at"] else None

        assert (await eventually(ended, timeout=60))["state"] == "completed"
