"""The database has no room left for a while, under a service at work."""

from __future__ import annotations

from pathlib import Path

import httpx
import psycopg
import pytest
import sqlalchemy as sa

from coordinator.bootstrap import Replacements, running
from coordinator.registry.ledger.database_engines import Engines, make_engines
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
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


class Room:
    """What the database may still grow by: nothing once there `is_none`."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._pages = 2**30

    def engines(self, place: str | Path, timeouts: DatabaseTimeouts) -> Engines:
        engines = make_engines(place, timeouts)
        if self._place.startswith("sqlite"):
            sa.event.listen(engines.writing, "begin", self._limit)
        return engines

    def is_none(self) -> None:
        self._pages = 1  # fewer than there are means: no page more
        if not self._place.startswith("sqlite"):
            self._tell_postgresql(FULL)

    def is_there_again(self) -> None:
        self._pages = 2**30
        if not self._place.startswith("sqlite"):
            self._tell_postgresql("DROP FUNCTION no_room CASCADE")

    def _limit(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={self._pages}")

    def _tell_postgresql(self, statements: str) -> None:
        with psycopg.connect(self._place, autocommit=True) as connection:
            connection.execute(statements.encode())


async def submit(http: httpx.AsyncClient) -> str:
    answer = await http.post("/tasks/submit", json={"task_data": {"text": "long " * 2000}})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["task_id"])


@pytest.mark.any_broker
async def test_while_the_database_is_full_tasks_are_taken_and_folded_once_there_is_room(
    broker: Broker, ledger_url: str, tmp_path: Path
) -> None:
    settings = Settings(amqp_url=broker.url, data_dir=tmp_path, database_url=ledger_url)
    room = Room(ledger_url)
    async with (
        Ledger(ledger_url, engines=room.engines) as ledger,
        running(settings, Replacements(ledger=ledger)) as coordinator,
        over(coordinator.app) as http,
    ):
        await coordinator.ready()
        accepted = [await submit(http)]
        await eventually(lambda: caught_up(http))

        room.is_none()
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

        room.is_there_again()

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
