"""A broker belongs to one ledger: a coordinator that has another takes nothing for it, and says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from coordinator.bootstrap import Coordinator, running
from coordinator.broker.connection import Connection
from coordinator.errors import OtherLedger
from coordinator.protocol.topology import LEDGER, LOG, REQUESTS
from coordinator.registry.ledger.broker_claim import BrokerClaim
from coordinator.registry.ledger.ledger import Ledger
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.doctor import Doctor
from tests.support.serving import serving
from tests.support.waiting import eventually

SETTINGS = ("COORDINATOR_DATABASE_URL", "COORDINATOR_DATA_DIR", "COORDINATOR_AMQP_URL")


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    return first, second


@asynccontextmanager
async def another(
    broker: Broker, folder: Path
) -> AsyncIterator[tuple[Coordinator, httpx.AsyncClient]]:
    settings = Settings(amqp_url=broker.url, data_dir=folder)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        yield coordinator, http


async def test_a_coordinator_with_another_ledger_is_never_ready_and_names_what_to_put_right(
    broker: Broker, folders: tuple[Path, Path]
) -> None:
    async with (
        serving(broker, folders[0]) as first,
        another(broker, folders[1]) as (coordinator, http),
    ):
        await eventually(coordinator.hindered)
        ready = await http.get("/health/ready")
        answers = [
            await http.post("/tasks/submit", json={"task_data": {}}),
            await http.post("/tasks/submit/batch", json={"tasks": [{"task_data": {}}]}),
            await http.post("/tasks/submit", json={"task_data": {}, "delay_seconds": 60}),
        ]
        health = (await http.get("/health")).json()

        assert ready.status_code == 503
        assert health["status"] == "degraded"
        sentences = [ready.json()["detail"], *health["problems"], *map(_told, answers)]
        for setting in SETTINGS:
            assert all(setting in one for one in sentences), sentences
        # The ledger that the broker belongs to has all, and its coordinator goes on.
        assert (await broker.consumers(LOG), await broker.consumers(REQUESTS)) == (1, 1)
        task = await first.post("/tasks/submit", task_data={})
        assert (await first.task(task["task_id"]))["state"] == "queued"
        assert (await first.http.get("/health")).json()["status"] == "healthy"


def _told(answer: httpx.Response) -> str:
    """Why a submission was refused."""
    assert answer.status_code == 503, answer.text
    return str(answer.json()["reason"])


async def test_another_coordinator_of_the_same_ledger_is_welcome(
    broker: Broker, tmp_path: Path
) -> None:
    async with serving(broker, tmp_path), serving(broker, tmp_path) as second:
        task = await second.post("/tasks/submit", task_data={})
        assert (await second.task(task["task_id"]))["state"] == "queued"


async def test_a_coordinator_waits_for_the_broker_to_be_given_up_by_the_other_ledger(
    broker: Broker, folders: tuple[Path, Path]
) -> None:
    async with serving(broker, folders[0]):
        pass
    async with another(broker, folders[1]) as (coordinator, _):
        await eventually(coordinator.hindered)
        await broker.management.delete("exchanges", broker.vhost, LEDGER)
        await eventually(lambda: coordinator.is_ready)


async def test_a_claim_is_the_first_thing_that_is_said_over_each_link(broker: Broker) -> None:
    async def stated(ledger_id: str) -> Exception | None:
        connection = Connection(broker.url, name="test")
        connection.admit = BrokerClaim(ledger_id).state
        async with connection:
            await connection.attempted()
            return connection.last_error

    first, second = "0123456789abcdef", "fedcba9876543210"
    assert await stated(first) is None
    assert await stated(first) is None
    refused = await stated(second)

    assert isinstance(refused, OtherLedger)
    assert refused.own == second
    assert refused.other in {
        first,
        None,
    }  # the broker's words are cut off behind a long virtual host


async def test_a_ledger_keeps_its_id(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
            found.append(await ledger.identity())
    async with Ledger(tmp_path / "another.sqlite3") as ledger:
        found.append(await ledger.identity())

    assert found[0] == found[1] != found[2]


async def test_the_doctor_says_whose_the_broker_is(
    broker: Broker, folders: tuple[Path, Path]
) -> None:
    async with serving(broker, folders[0]):
        _, findings = await Doctor(broker, folders[0]).visit()
        assert "one-ledger" not in findings

        async with Ledger(folders[1] / "ledger.sqlite3") as ledger:
            await ledger.identity()
        status, findings = await Doctor(broker, folders[1]).visit()

        assert status == 1
        (found,) = findings["one-ledger"]
        assert all(setting in found["fix"] for setting in SETTINGS)


async def test_the_doctor_leaves_a_broker_that_belongs_to_nobody_as_it_is(
    broker: Broker, tmp_path: Path
) -> None:
    async with Ledger(tmp_path / "ledger.sqlite3") as ledger:
        await ledger.identity()

    await Doctor(broker, tmp_path).visit()

    exchanges = await broker.management.get("exchanges", broker.vhost)
    assert LEDGER not in {one["name"] for one in exchanges}
