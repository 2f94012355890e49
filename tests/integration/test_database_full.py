"""The database has no room left for a while, under a service at work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from coordinator.bootstrap import running
from coordinator.registry.ledger import database_engines
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.waiting import eventually

FULL = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full';
END $$;
CREATE TRIGGER no_room BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION no_room()
"""
"""What PostgreSQL says where it needs another page: the tests cannot take the disk away from it."""


@pytest.fixture
def room(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Called with False, the database cannot grow; with True, it can again."""
    if ledger_url.startswith("sqlite"):
        return _room_in_sqlite(monkeypatch)

    def room(there_is: bool) -> None:
        with psycopg.connect(ledger_url, autocommit=True) as connection:
            connection.execute("DROP FUNCTION no_room CASCADE" if there_is else FULL.encode())

    return room


def _room_in_sqlite(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    most = {"pages": 2**30}
    begin = database_engines._begin_sqlite

    def limited(connection: Any) -> None:
        # Less than there are means: no page more.
        connection.exec_driver_sql(f"PRAGMA max_page_count={most['pages']}")
        begin(connection)

    monkeypatch.setattr(database_engines, "_begin_sqlite", limited)
    return lambda there_is: most.update(pages=2**30 if there_is else 1)


async def submit(http: httpx.AsyncClient) -> str:
    answer = await http.post("/tasks/submit", json={"task_data": {"text": "long " * 2000}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


@pytest.mark.any_broker
async def test_while_the_database_is_full_tasks_are_taken_and_folded_once_there_is_room(
    broker: Broker, ledger_url: str, room: Callable[[bool], None], tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_url)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        accepted = [await submit(http)]
        await eventually(lambda: caught_up(http))

        room(False)
        accepted += [await submit(http) for _ in range(20)]

        async def told() -> str | None:
            health = (await http.get("/health")).json()
            return next(iter(health.get("problems", ())), None)

        problem = await eventually(told)
        assert "full" in problem or "No space left" in problem
        assert (await http.get("/health/ready")).status_code == 200
        for task_id in accepted:
            assert (await http.get(f"/tasks/{task_id}")).status_code == 200
        assert await distributed(http) == 21
        answer = await http.get("/tasks/never")  # that there is none cannot be told now
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) >= 1

        room(True)

        async def well() -> bool:
            return bool((await http.get("/health")).json()["status"] == "healthy")

        await eventually(well, timeout=60)
        await eventually(lambda: caught_up(http), timeout=60)
        assert await distributed(http) == 21
        assert len((await http.get("/tasks?limit=100")).json()["tasks"]) == 21


async def caught_up(http: httpx.AsyncClient) -> bool:
    """Whether the ledger has all that was accepted: only then is a task said not to be there."""
    return (await http.get("/tasks/never")).status_code == 404


async def distributed(http: httpx.AsyncClient) -> int:
    return int((await http.get("/tasks/status")).json()["stats"]["tasks_distributed"])
