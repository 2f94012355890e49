"""A coordinator whose ledger has rows that it cannot read starts, works, and has them deleted."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from coordinator.bootstrap import running
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

pytestmark = pytest.mark.any_broker

UPDATES: list[tuple[sa.Table, Any, dict[str, Any]]] = [
    (schema.schedules, schema.schedules.c.schedule_id == "on mars", {"timezone": "Mars/Olympus"}),
    (schema.schedules, schema.schedules.c.schedule_id == "of old", {"cron": "0 0 ? * 1"}),
    (schema.schedules, schema.schedules.c.schedule_id == "of tomorrow", {"missed": "perhaps"}),
    (schema.sources, schema.sources.c.priority == "high", {"requirements": "{"}),
    (schema.agents, schema.agents.c.agent_id == "ada", {"registration": "[]"}),
    (schema.tasks, schema.tasks.c.task_id == "spoilt", {"backoff": "{"}),
    (schema.outbox, schema.outbox.c.task_id == "spoilt", {"due_at": 0}),
    (schema.outbox, schema.outbox.c.task_id == "other", {"due_at": 0}),
]


async def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def make(http: httpx.AsyncClient) -> None:
    for name in ("on mars", "of old", "of tomorrow", "good"):
        body = {"schedule_id": name, "cron": "* * * * * *", "task": {"task_data": {"a": name}}}
        await done(await http.post("/schedules", json=body))
    for name, priority in (("spoilt", "low"), ("other", "high")):
        data = {"task_data": {"task_id": name}, "priority": priority, "delay_seconds": 3600}
        await done(await http.post("/tasks/submit", json=data))
    for name in ("ada", "bob"):
        await done(
            await http.post("/agents/register", json={"agent_id": name, "agent_type": "worker"})
        )


async def spoil(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        for table, where, values in UPDATES:
            statement = table.update().where(where).values(values)

            def write(connection: sa.Connection, statement: sa.Update = statement) -> None:
                assert connection.execute(statement).rowcount == 1

            await ledger.write(write)


async def test_a_coordinator_starts_and_works_beside_rows_that_it_cannot_read(
    broker: Broker, ledger_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_url)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        await make(http)

        async def folded() -> bool:
            tasks = (await http.get("/tasks/never")).status_code == 404
            return tasks and (await http.get("/agents/bob")).status_code == 200

        await eventually(folded)
    await spoil(ledger_url)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()

        async def told(name: str) -> dict[str, Any]:
            answer = await done(await http.get(f"/schedules/{name}"))
            schedule: dict[str, Any] = answer["schedule"]
            return schedule

        for name in ("on mars", "of old", "of tomorrow"):

            async def set_aside(name: str = name) -> bool:
                schedule = await told(name)
                return schedule["next_at"] is None and bool(schedule["last_error"])

            await eventually(set_aside)
        before = (await told("good"))["last_task_id"]

        async def goes_on() -> bool:
            return bool((await told("good"))["last_task_id"] != before)

        await eventually(goes_on)
        assert "Mars/Olympus" in (await told("on mars"))["last_error"]
        assert len((await done(await http.get("/schedules")))["schedules"]) == 4
        for name in ("on mars", "of old", "of tomorrow"):
            await done(await http.delete(f"/schedules/{name}"))

        async def queued() -> bool:
            return bool((await http.get("/tasks/other")).json()["task"]["state"] == "queued")

        await eventually(queued)
        assert [one.agent_id for one in coordinator.registry.discover()] == ["bob"]
        await done(
            await http.post("/agents/register", json={"agent_id": "ada", "agent_type": "worker"})
        )
        assert not coordinator.life.done()
    left_out = [one for one in caplog.records if one.name.endswith("tables.unreadable_rows")]
    assert {(one.__dict__["table"], *one.__dict__["key"]) for one in left_out} == {
        ("sources", "any", "high"),
        ("agents", "ada"),
        ("tasks", "spoilt"),
    }
