"""API keys on a running service: roles, tasks of one's own, revocation in every process, who did what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from coordinator.access.roles import Role
from coordinator.bootstrap import Coordinator, running
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.api_keys import ApiKeys
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

TASK = {"task_data": {"task_type": "count"}, "requirements": {"agent_id": "nobody"}}


@dataclass
class Guarded:
    """Two processes of one service, and the keys of their ledger."""

    coordinators: list[Coordinator]
    clients: list[httpx.AsyncClient]
    keys: ApiKeys

    async def key(self, name: str, *roles: Role, **options: Any) -> dict[str, str]:
        """The header of a new one."""
        secret = await self.keys.create(name, roles, **options)
        return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_place(request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """One in a file, one on a server."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
async def guarded(
    broker: Broker, tmp_path: Path, ledger_place: str | None
) -> AsyncIterator[Guarded]:
    settings = Settings(
        amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_place, auth="required"
    )
    async with AsyncExitStack() as stack:
        coordinators = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        for coordinator in coordinators:
            await coordinator.ready()
        clients = [await stack.enter_async_context(over(one.app)) for one in coordinators]
        ledger = await stack.enter_async_context(Ledger(settings.ledger_place))
        yield Guarded(coordinators, clients, ApiKeys(ledger))


@pytest.mark.any_broker
async def test_a_producer_has_its_own_tasks_and_no_others(guarded: Guarded) -> None:
    http, elsewhere = guarded.clients
    mine = await guarded.key("mine", Role.PRODUCER)
    other = await guarded.key("other", Role.PRODUCER)
    reader = await guarded.key("reader", Role.READER)
    assert (await http.post("/tasks/submit", json=TASK)).status_code == 401

    one = (await http.post("/tasks/submit", json=TASK, headers=mine)).json()["task_id"]
    batch = await elsewhere.post("/tasks/submit/batch", json={"tasks": [TASK]}, headers=mine)
    two = batch.json()["results"][0]["task_id"]
    theirs = (await http.post("/tasks/submit", json=TASK, headers=other)).json()["task_id"]

    for task_id in (one, two):
        found = await elsewhere.get(f"/tasks/{task_id}", headers=mine)
        assert found.json()["task"]["submitted_by"] == "key:mine"
        for method, path in (
            ("GET", ""),
            ("GET", "/events"),
            ("GET", "/wait?timeout=0"),
            ("GET", "/explain"),
            ("POST", "/cancel"),
            ("POST", "/input"),
        ):
            body = {"answer": "yes"} if path == "/input" else None
            refused = await http.request(
                method, f"/tasks/{task_id}{path}", headers=other, json=body
            )
            assert refused.status_code == 403, (path, refused.text)
    events = (await http.get(f"/tasks/{one}/events", headers=mine)).json()["events"]
    assert events[0]["details"]["submitted_by"] == "key:mine"

    async def told(headers: dict[str, str]) -> set[str]:
        tasks = (await elsewhere.get("/tasks", headers=headers)).json()["tasks"]
        return {task["task_id"] for task in tasks}

    for coordinator in guarded.coordinators:
        await coordinator.registry.settle()
    assert await told(mine) == {one, two}
    assert await told(other) == {theirs}
    assert await told(reader) == {one, two, theirs}
    refused = await http.post(f"/tasks/{one}/cancel", headers=reader)
    assert refused.status_code == 403
    assert (await http.get(f"/tasks/{one}", headers=mine)).json()["task"]["state"] == "queued"
    assert (await http.post(f"/tasks/{one}/cancel", headers=mine)).status_code == 200


@pytest.mark.any_broker
async def test_the_same_id_of_two_producers_is_a_conflict(guarded: Guarded) -> None:
    http, elsewhere = guarded.clients
    mine = await guarded.key("mine", Role.PRODUCER)
    other = await guarded.key("other", Role.PRODUCER)
    task = TASK | {"task_data": {"task_id": "one"}}
    for client in (http, elsewhere):
        assert (await client.post("/tasks/submit", json=task, headers=mine)).status_code == 200
        taken = await client.post("/tasks/submit", json=task, headers=other)
        assert taken.status_code == 409, taken.text
    found = await http.get("/tasks/one", headers=mine)
    assert found.json()["task"]["submitted_by"] == "key:mine"


@pytest.mark.any_broker
async def test_who_cleared_and_who_redrove_is_in_the_events(guarded: Guarded) -> None:
    http = guarded.clients[0]
    producer = await guarded.key("producer", Role.PRODUCER)
    ops = await guarded.key("ops", Role.OPERATOR)
    task_id = (await http.post("/tasks/submit", json=TASK, headers=producer)).json()["task_id"]
    refused = await http.post("/tasks/queues/normal/clear", headers=producer)
    assert refused.status_code == 403
    cleared = await http.post("/tasks/queues/normal/clear", headers=ops)
    assert cleared.json()["cleared_count"] == 1
    assert (await http.post(f"/tasks/{task_id}/retry", headers=producer)).status_code == 403
    again = await http.post(f"/tasks/{task_id}/retry", headers=ops)
    assert again.status_code == 200, again.text

    events = (await http.get(f"/tasks/{task_id}/events", headers=producer)).json()["events"]
    told = [(one["type"], one["generation"], one["details"]) for one in events]
    cleared_by = [details["by"] for kind, _, details in told if kind == "task.cancelled"]
    assert cleared_by == ["key:ops"]
    second = [details for _, generation, details in told if generation == 2]
    assert {details["redriven_by"] for details in second} == {"key:ops"}
    assert {details["submitted_by"] for details in second} == {"key:producer"}
    task = (await http.get(f"/tasks/{task_id}", headers=producer)).json()["task"]
    assert task["submitted_by"] == "key:producer"


@pytest.mark.any_broker
async def test_a_revoked_key_ends_in_every_process_and_a_rotated_one_keeps_its_tasks(
    guarded: Guarded,
) -> None:
    mine = await guarded.key("mine", Role.PRODUCER)
    http, elsewhere = guarded.clients
    task_id = (await http.post("/tasks/submit", json=TASK, headers=mine)).json()["task_id"]
    assert (await elsewhere.get(f"/tasks/{task_id}", headers=mine)).status_code == 200

    secret = await guarded.keys.rotate("mine", old_until=datetime.now(UTC))
    anew = {"X-API-Key": secret}

    async def status(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
        return (await client.get(f"/tasks/{task_id}", headers=headers)).status_code

    async def refused_by_all(headers: dict[str, str]) -> bool:
        return [await status(client, headers) for client in guarded.clients] == [401, 401]

    assert [await status(client, anew) for client in guarded.clients] == [200, 200]
    await eventually(lambda: refused_by_all(mine))
    assert [await status(client, anew) for client in guarded.clients] == [200, 200]
    await guarded.keys.revoke("mine")
    await eventually(lambda: refused_by_all(anew))


@pytest.mark.any_broker
async def test_a_caller_has_as_many_tasks_and_schedules_as_it_may(
    broker: Broker, tmp_path: Path, ledger_place: str | None
) -> None:
    settings = Settings(
        amqp_url=broker.url,
        data_dir=tmp_path,
        database_url=ledger_place,
        auth="required",
        max_callers_tasks=2,
        max_schedules=1,
    )
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        async with Ledger(settings.ledger_place) as ledger:
            keys = ApiKeys(ledger)
            mine, other, ops = [
                {"X-API-Key": await keys.create(name, {role})}
                for name, role in (
                    ("mine", Role.PRODUCER),
                    ("other", Role.PRODUCER),
                    ("ops", Role.OPERATOR),
                )
            ]

        async def submitted(headers: dict[str, str]) -> bool:
            answer = await http.post("/tasks/submit", json=TASK, headers=headers)
            assert answer.status_code in (200, 429), answer.text
            return answer.status_code == 200

        assert [await submitted(mine) for _ in range(3)] == [True, True, False]
        batch = {"tasks": [TASK, TASK, TASK]}
        refused = await http.post("/tasks/submit/batch", json=batch, headers=other)
        assert refused.status_code == 429
        assert refused.headers["Retry-After"] == "5"
        assert await submitted(other)
        cleared = await http.post("/tasks/queues/normal/clear", headers=ops)
        assert cleared.json()["cleared_count"] == 3
        await eventually(lambda: submitted(mine))

        schedule = {"cron": "0 3 * * *", "task": TASK}
        for status in (200, 429):
            made = await http.post("/schedules", json=schedule, headers=ops)
            assert made.status_code == status, made.text


def needing(capability: str) -> dict[str, Any]:
    return {"task_data": {}, "requirements": {"capabilities": [capability]}}


@pytest.mark.any_broker
async def test_a_caller_opens_as_many_lanes_as_it_may_over_all_processes_and_restarts(
    broker: Broker, tmp_path: Path, ledger_place: str | None
) -> None:
    settings = Settings(
        amqp_url=broker.url,
        data_dir=tmp_path,
        database_url=ledger_place,
        auth="required",
        max_callers_lanes=2,
        max_callers_agents=1,
    )
    async with Ledger(settings.ledger_place) as ledger:
        keys = ApiKeys(ledger)
        mine, other, admin = [
            {"X-API-Key": await keys.create(name, {role})}
            for name, role in (
                ("mine", Role.PRODUCER),
                ("other", Role.PRODUCER),
                ("admin", Role.ADMIN),
            )
        ]

    async def submit(http: httpx.AsyncClient, who: dict[str, str], capability: str) -> int:
        answer = await http.post("/tasks/submit", json=needing(capability), headers=who)
        if answer.status_code == 429:
            assert "COORDINATOR_MAX_CALLERS_LANES" in answer.json()["detail"]
            assert int(answer.headers["Retry-After"]) > 1
        return answer.status_code

    async def register(http: httpx.AsyncClient, agent_id: str) -> int:
        body = {"agent_id": agent_id, "agent_type": "worker"}
        return (await http.post("/agents/register", json=body, headers=admin)).status_code

    async with (
        running(settings) as one,
        running(settings) as two,
        over(one.app) as here,
        over(two.app) as there,
    ):
        await one.ready()
        await two.ready()
        open_to_all = await here.post("/tasks/submit", json={"task_data": {}}, headers=mine)
        assert open_to_all.status_code == 200
        assert [await submit(here, mine, name) for name in "ab"] == [200, 200]
        urgent = needing("a") | {"priority": "urgent"}
        assert (await here.post("/tasks/submit", json=urgent, headers=mine)).status_code == 200
        assert await submit(here, mine, "c") == 429

        async def known_there() -> bool:
            return len(two.opener._book.lanes_opened_by("key:mine")) == 2

        await eventually(known_there)
        assert [await submit(there, mine, name) for name in "ca"] == [429, 200]
        batch = {"tasks": [needing("a"), needing("c"), needing("b")]}
        told = (await there.post("/tasks/submit/batch", json=batch, headers=mine)).json()
        assert [one["status"] for one in told["results"]] == ["accepted", "rejected", "accepted"]
        assert told["results"][1]["error"]["status_code"] == 429
        assert [await submit(there, other, name) for name in "cd"] == [200, 200]
        assert await submit(there, mine, "c") == 200, "which is another's"

        assert await register(here, "ada") == 200
        assert [await register(here, name) for name in ("ada", "bob")] == [200, 429]
        await one.registry.settle()
    async with running(settings) as again, over(again.app) as http:
        await again.ready()
        assert [await submit(http, mine, name) for name in "ea"] == [429, 200]
        assert await submit(http, other, "e") == 429
        assert [await register(http, name) for name in ("bob", "ada")] == [429, 200]


@pytest.mark.any_broker
async def test_a_service_that_nobody_can_call_says_so(
    broker: Broker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, auth="required")
    async with running(settings):
        pass
    assert "there is no API key" in caplog.text
    caplog.clear()
    async with Ledger(settings.ledger_place) as ledger:
        await ApiKeys(ledger).create("ci", {Role.READER})
    async with running(settings):
        pass
    assert "there is no API key" not in caplog.text


@pytest.mark.any_broker
async def test_when_a_key_was_used_is_kept(
    broker: Broker, tmp_path: Path, ledger_place: str | None
) -> None:
    settings = Settings(
        amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_place, auth="required"
    )
    async with Ledger(settings.ledger_place) as ledger:
        keys = ApiKeys(ledger)
        used = await keys.create("used", {Role.READER})
        await keys.create("unused", {Role.READER})
        async with running(settings) as coordinator, over(coordinator.app) as http:
            for _ in range(3):
                answer = await http.get("/agents", headers={"X-API-Key": used})
                assert answer.status_code == 200
        last = {key.name: key.last_used_at for key in await keys.all()}
    assert last["unused"] is None
    assert last["used"] is not None
