"""Groups on a real broker and either database: a batch, two coordinators, an agent, and who may see what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers import Agent, Task
from coordinator.access.roles import Role
from coordinator.bootstrap import Coordinator, running
from coordinator.bootstrap.replacements import Duty
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.api_keys import ApiKeys
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

NOBODYS = {"task_data": {}, "requirements": {"agent_id": "nobody"}}


@dataclass
class Two:
    """Two processes of one service: the first folds the log, the second only answers."""

    folding: Coordinator
    clients: list[httpx.AsyncClient]
    settings: Settings
    stack: AsyncExitStack

    async def key(self, name: str, role: Role) -> dict[str, str]:
        ledger = await self.stack.enter_async_context(Ledger(self.settings.ledger_place))
        return {"Authorization": f"Bearer {await ApiKeys(ledger).create(name, [role])}"}


async def two(stack: AsyncExitStack, **settings: Any) -> Two:
    made = Settings(**settings)
    coordinators = [
        await stack.enter_async_context(running(made, duty=duty))
        for duty in (Duty.ALL, Duty.SERVING)
    ]
    for one in coordinators:
        await one.ready()
    clients = [await stack.enter_async_context(over(one.app)) for one in coordinators]
    return Two(coordinators[0], clients, made, stack)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


def ok(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def shown(found: dict[str, Any]) -> dict[str, int]:
    return {state: count for state, count in found["group"]["counts"].items() if count}


async def test_a_batch_is_waited_for_at_another_coordinator_and_its_agent_sees_its_labels(
    broker: Broker, ledger_url: str, tmp_path: Path, stack: AsyncExitStack
) -> None:
    both = await two(
        stack,
        amqp_url=broker.url,
        data_dir=tmp_path,
        database_url=ledger_url,
        metadata_keys="customer",
    )
    http, elsewhere = both.clients
    go = asyncio.Event()
    seen: set[tuple[str | None, tuple[str, ...]]] = set()
    agent = Agent("ada", amqp_url=broker.url, cache_dir=tmp_path / "ada")

    @agent.default
    async def work(task: Task) -> None:
        seen.add((task.group, task.tags))
        await go.wait()

    tasks = [{"task_data": {}, "metadata": {"customer": "acme"}, "tags": ["b"]} for _ in range(5)]
    batch = ok(await http.post("/tasks/submit/batch", json={"tasks": tasks, "tags": ["a"]}))
    group = batch["group"]
    found = ok(await elsewhere.get(f"/groups/{group}"))
    assert (found["group"]["total"], shown(found)) == (5, {"queued": 5})

    async with agent.running():
        first = asyncio.create_task(elsewhere.get(f"/groups/{group}/wait?until=any&timeout=60"))
        every = asyncio.create_task(elsewhere.get(f"/groups/{group}/wait?timeout=60"))
        await eventually(lambda: bool(seen))
        assert not first.done()
        go.set()
        assert ok(await first)["reached"] is True
        done = ok(await every)
        assert (done["reached"], shown(done)) == (True, {"completed": 5})
    assert seen == {(group, ("a", "b"))}

    for query in (f"group={group}", "tag=a&tag=b", "metadata=customer=acme&state=completed"):
        listed = ok(await elsewhere.get(f"/tasks?{query}"))["tasks"]
        assert {task["task_id"] for task in listed} == {
            result["task_id"] for result in batch["results"]
        }
        assert all((task["group"], task["tags"]) == (group, ["a", "b"]) for task in listed)


async def test_a_cancelled_group_ends_what_waits_what_is_scheduled_and_what_runs(
    broker: Broker, ledger_url: str, tmp_path: Path, stack: AsyncExitStack
) -> None:
    both = await two(stack, amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_url)
    http, elsewhere = both.clients
    running_now, stopped = asyncio.Event(), asyncio.Event()
    agent = Agent("ada", amqp_url=broker.url, cache_dir=tmp_path / "ada")

    @agent.default
    async def work(task: Task) -> None:
        if task.data.get("fails"):
            raise ValueError("again")
        running_now.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    tasks = [
        {"task_data": {"fails": True}, "backoff": {"first_seconds": 600}},
        {"task_data": {}},
        {"task_data": {}, "delay_seconds": 600},
        NOBODYS,
        NOBODYS | {"group": "another"},
    ]
    async with agent.running():
        body = {"tasks": tasks, "group": "g"}
        ok(await http.post("/tasks/submit/batch", json=body))
        await running_now.wait()

        async def all_are_where_they_should_be() -> bool:
            found = shown(ok(await http.get("/groups/g")))
            return found == {"waiting": 1, "running": 1, "scheduled": 1, "queued": 1}

        await eventually(all_are_where_they_should_be)
        done = ok(await elsewhere.post("/groups/g/cancel", json={"reason": "by mistake"}))
        assert (done["cancelled"], done["left"]) == (4, 0)
        assert {state for state, count in done["was"].items() if count} == {
            *("waiting", "running", "scheduled", "queued"),
        }
        assert shown(done) == {"cancelled": 4}
        await asyncio.wait_for(stopped.wait(), 30)
    again = ok(await http.post("/groups/g/cancel"))
    assert (again["cancelled"], again["left"]) == (0, 0)
    assert shown(ok(await http.get("/groups/another"))) == {"queued": 1}

    listed = ok(await http.get("/tasks?group=g&state=cancelled"))["tasks"]
    retried = ok(await http.post(f"/tasks/{listed[0]['task_id']}/retry"))
    assert retried["generation"] == 2
    found = ok(await elsewhere.get("/groups/g"))
    assert (found["group"]["total"], found["group"]["counts"]["cancelled"]) == (4, 3)


@pytest.mark.any_broker
async def test_a_producer_has_its_own_tasks_of_a_group_and_learns_of_no_others(
    broker: Broker, tmp_path: Path, stack: AsyncExitStack
) -> None:
    both = await two(stack, amqp_url=broker.url, data_dir=tmp_path, auth="required")
    http, elsewhere = both.clients
    mine = await both.key("mine", Role.PRODUCER)
    other = await both.key("other", Role.PRODUCER)
    reader = await both.key("reader", Role.READER)
    operator = await both.key("operator", Role.OPERATOR)
    task = NOBODYS | {"group": "report", "tags": ["nightly"]}
    batch = {"tasks": [task] * 3}
    assert ok(await http.post("/tasks/submit/batch", json=batch, headers=mine))["group"] is not None

    unknown = await elsewhere.get("/groups/never-heard-of", headers=other)
    for method, path in (
        ("GET", "/groups/report"),
        ("GET", "/groups/report/wait?timeout=5"),
        ("POST", "/groups/report/cancel"),
    ):
        refused = await elsewhere.request(method, path, headers=other)
        told = refused.json() | {"timestamp": ""}
        assert (refused.status_code, told) == (404, unknown.json() | {"timestamp": ""})
    assert ok(await http.get("/tasks?group=report&tag=nightly", headers=other))["tasks"] == []

    ok(await http.post("/tasks/submit", json=task, headers=other))
    assert shown(ok(await elsewhere.get("/groups/report", headers=other))) == {"queued": 1}
    assert shown(ok(await elsewhere.get("/groups/report", headers=mine))) == {"queued": 3}
    assert shown(ok(await elsewhere.get("/groups/report", headers=reader))) == {"queued": 4}
    assert (await http.post("/groups/report/cancel", headers=reader)).status_code == 403

    done = ok(await elsewhere.post("/groups/report/cancel", headers=other))
    assert (done["cancelled"], shown(done)) == (1, {"cancelled": 1})
    assert shown(ok(await http.get("/groups/report", headers=mine))) == {"queued": 3}
    everybodys = ok(await http.post("/groups/report/cancel", headers=operator))
    assert (everybodys["cancelled"], shown(everybodys)) == (3, {"cancelled": 4})


@pytest.mark.any_broker
async def test_the_tasks_of_a_schedule_have_its_labels(
    broker: Broker, tmp_path: Path, stack: AsyncExitStack
) -> None:
    both = await two(stack, amqp_url=broker.url, data_dir=tmp_path)
    http, _ = both.clients
    task = NOBODYS | {"group": "ticks", "tags": ["timed"]}
    ok(await http.post("/schedules", json={"cron": "* * * * * *", "task": task}))

    async def has_run() -> bool:
        return (await http.get("/groups/ticks")).status_code == 200

    await eventually(has_run)
    listed = ok(await http.get("/tasks?tag=timed"))["tasks"]
    assert {(one["group"], *one["tags"]) for one in listed} == {("ticks", "timed")}


async def test_tasks_are_found_by_the_exact_values_of_eight_declared_keys_and_of_no_other(
    broker: Broker, ledger_url: str, tmp_path: Path, stack: AsyncExitStack
) -> None:
    keys = [f"key-{number}" for number in range(8)]
    given = Settings(
        amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_url, metadata_keys=tuple(keys)
    )
    coordinator = await stack.enter_async_context(running(given))
    await coordinator.ready()
    http = await stack.enter_async_context(over(coordinator.app))
    metadata: dict[str, Any] = dict.fromkeys(keys, "Acme, Inc.") | {"undeclared": "x"}
    wanted = NOBODYS | {"metadata": metadata}
    body = {"tasks": [wanted, *(wanted | {"metadata": metadata | {key: "acme"}} for key in keys)]}
    batch = ok(await http.post("/tasks/submit/batch", json=body))
    ids = [one["task_id"] for one in batch["results"]]

    async def found(**values: str) -> set[str]:
        query = {"metadata": [f"{key}={value}" for key, value in values.items()]}
        tasks = ok(await http.get("/tasks", params=query))["tasks"]
        return {task["task_id"] for task in tasks}

    assert await found(**dict.fromkeys(keys, "Acme, Inc.")) == {ids[0]}
    for key, task_id in zip(keys, ids[1:], strict=True):
        assert await found(**{key: "acme"}) == {task_id}
        assert await found(**{key: "Acme"}) == set()
        assert await found(**{key: "Acme, Inc."}) == set(ids) - {task_id}
    refused = await http.get("/tasks", params={"metadata": "undeclared=x"})
    assert refused.status_code == 422
