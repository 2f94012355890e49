"""Follow-up tasks over SIGKILL: of the agent that asks for them, of the coordinator that is asked."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.protocol.messages.agent_requests.follow_up import follow_up_id
from tests.e2e.killed_in_follow_ups import CANCELLING, SUBMITTING
from tests.e2e.processes import Process, client, get, ready, service, spawned
from tests.support.broker import Broker
from tests.support.ports import free_port
from tests.support.waiting import eventually

ORDERS = 10
MAILS = 4
KILLS = 6


@asynccontextmanager
async def submitting_agent(broker: Broker, folder: Path, name: str) -> AsyncIterator[Process]:
    """Killed in the end: it may be at work on what it was told to cancel by a coordinator that was killed."""
    async with spawned(
        *(sys.executable, "-m", "consumers", "tests.e2e.submitting:agent"),
        output=folder / f"{name}.out",
        environment={
            "COORDINATOR_AMQP_URL": broker.url,
            "XDG_CACHE_HOME": str(folder / name),
            "E2E_ID": name,
        },
    ) as process:
        yield process
        await killed(process)


async def killed(process: Process) -> None:
    if not process.ended:
        process.signal(signal.SIGKILL)
        await process.wait()


async def submit(http: httpx.AsyncClient, **task_data: Any) -> str:
    body = {"task_data": task_data, "max_attempts": 20, "backoff": {"first_seconds": 0.2}}
    answer = await http.post("/tasks/submit", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


async def becomes(http: httpx.AsyncClient, task_id: str, state: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        answer = await http.get(f"/tasks/{task_id}")
        task: dict[str, Any] = answer.json()["task"] if answer.status_code == 200 else {}
        return task if task.get("state") == state else None

    return await eventually(there, timeout=120)


@pytest.mark.slow
@pytest.mark.any_broker
async def test_a_follow_up_task_is_submitted_once_and_cancelled_though_its_coordinator_is_killed(
    broker: Broker, tmp_path: Path, ledger_url: str
) -> None:
    """At each step between the request and the answer, and between the end of the parent and its own."""
    data, ledger = tmp_path / "service", {"COORDINATOR_DATABASE_URL": ledger_url}
    async with submitting_agent(broker, tmp_path, "ada"):
        for step in SUBMITTING | CANCELLING:
            started = service(
                broker.url,
                data,
                environment=ledger | {"KILL_AT": step},
                module="tests.e2e.killed_in_follow_ups",
            )
            async with started as (process, url), client(url) as http:
                await ready(http)
                if step in SUBMITTING:
                    await submit(http, task_id=step, task_type="order", mails=1)
                else:
                    await submit(http, task_id=step, task_type="watch")
                    await becomes(http, follow_up_id(step, 1, "=reminder"), "scheduled")
                    with suppress(httpx.TransportError):  # killed before it is answered
                        await http.post(f"/tasks/{step}/cancel")
                assert await process.wait() == -signal.SIGKILL, process.printed
        async with service(broker.url, data, environment=ledger) as (_, url), client(url) as http:
            await ready(http)
            for step in SUBMITTING:
                mail = follow_up_id(step, 1, "=mail 0")
                assert (await becomes(http, step, "completed"))["result"] == [mail]
                await becomes(http, mail, "completed")
            for step in CANCELLING:
                await becomes(http, step, "cancelled")
                await becomes(http, follow_up_id(step, 1, "=reminder"), "cancelled")
            listed = (await get(http, "/tasks?limit=200"))["tasks"]
            assert len(listed) == 2 * len(SUBMITTING | CANCELLING)


@pytest.mark.slow
@pytest.mark.any_broker
async def test_each_order_has_its_mails_once_whoever_is_killed_meanwhile(
    broker: Broker, tmp_path: Path
) -> None:
    rng = random.Random(7)
    port = free_port()
    async with AsyncExitStack() as stack:

        async def coordinator() -> tuple[Process, str]:
            return await stack.enter_async_context(
                service(broker.url, tmp_path / "data", port=port)
            )

        process, url = await coordinator()
        http = await stack.enter_async_context(client(url))
        await ready(http)
        agents = [
            await stack.enter_async_context(submitting_agent(broker, tmp_path, name))
            for name in ("ada", "bob")
        ]
        orders = [await submit(http, task_type="order", mails=MAILS) for _ in range(ORDERS)]
        watch = await submit(http, task_type="watch")
        await becomes(http, follow_up_id(watch, 1, "=reminder"), "scheduled")
        assert (await http.post(f"/tasks/{watch}/cancel")).status_code == 200
        for kill in range(KILLS):
            await asyncio.sleep(rng.uniform(0.1, 0.6))  # anywhere in what happens
            if kill % 2:
                await killed(agents.pop(0))
                another = submitting_agent(broker, tmp_path, f"agent-{kill}")
                agents.append(await stack.enter_async_context(another))
            else:
                await killed(process)
                process, _ = await coordinator()
                await ready(http)
        for order in orders:
            mails = [follow_up_id(order, 1, f"=mail {n}") for n in range(MAILS)]
            assert (await becomes(http, order, "completed"))["result"] == mails
            for mail in mails:
                await becomes(http, mail, "completed")
        await becomes(http, follow_up_id(watch, 1, "=reminder"), "cancelled")
        listed = (await get(http, "/tasks?limit=200"))["tasks"]
        assert len(listed) == ORDERS * (1 + MAILS) + 2
