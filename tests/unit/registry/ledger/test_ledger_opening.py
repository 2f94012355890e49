"""Opening a ledger: what an operator is told, what is waited for, and who goes first."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from pathlib import Path

import pytest

from coordinator.errors import LedgerUnavailable, OperatorError
from coordinator.registry.ledger import database_engines
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from tests.support.postgres import PostgresServer
from tests.support.waiting import eventually
from tests.unit.domain.histories import submitted
from tests.unit.registry.answers import answers, stored


async def refused(url: str) -> str:
    with pytest.raises(OperatorError) as told:
        async with Ledger(url, patient=True):
            pass
    return str(told.value)


async def test_what_waiting_does_not_mend_is_told_in_one_line(postgres: PostgresServer) -> None:
    with postgres.database("ENCODING 'SQL_ASCII' TEMPLATE template0") as ascii_only:
        sentences = [
            await refused(postgres.url("postgres", password="wrong")),
            await refused(postgres.url("nowhere")),
            await refused(ascii_only),
        ]
    for sentence, why in zip(
        sentences,
        ["password authentication failed", 'database "nowhere" does not exist', "--encoding=UTF8"],
        strict=True,
    ):
        assert why in sentence
        assert "\n" not in sentence
    assert "COORDINATOR_DATABASE_URL" in sentences[0]


async def test_a_driver_that_is_missing_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database_engines, "find_spec", lambda name: None)
    assert "pip install 'rabbitmq-agent-coordinator[service,postgres]'" in await refused(
        "postgresql://user:password@host/name"
    )


async def test_another_kind_of_database_is_refused() -> None:
    assert "'mysql'" in await refused("mysql://user:password@host/name")


async def test_a_server_that_is_away_is_waited_for_by_the_patient_alone(
    own_postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    own_postgres.stop()
    url = own_postgres.url("postgres")
    with pytest.raises(OperatorError, match="COORDINATOR_DATABASE_URL"):
        async with Ledger(url):
            pass

    async def opened() -> int:
        async with Ledger(url, patient=True) as ledger:
            return len((await answers(ledger))["tasks"])

    with caplog.at_level(logging.WARNING):
        opening = asyncio.create_task(opened())
        await eventually(lambda: "waiting for the ledger" in caplog.text)
    assert not opening.done()
    await asyncio.to_thread(own_postgres.start)
    assert await opening == 0


async def test_a_file_that_is_locked_is_waited_for_by_the_patient(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    file.parent.mkdir()
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    async def opened() -> int:
        hasty = DatabaseTimeouts(lock=0.05)
        async with Ledger(sqlite_url, patient=True, timeouts=hasty, first_pause=0.01) as ledger:
            return len((await answers(ledger))["tasks"])

    opening = asyncio.create_task(opened())
    await eventually(lambda: "waiting for the ledger" in caplog.text)
    other.rollback()
    other.close()
    assert await opening == 0


async def test_a_new_file_that_another_writes_is_waited_for(sqlite_url: str) -> None:
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    file.parent.mkdir()
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    soon = threading.Timer(0.2, other.rollback)
    soon.start()
    async with Ledger(sqlite_url) as ledger:
        assert not (await answers(ledger))["tasks"]
    soon.join()
    other.close()


async def test_several_coordinators_may_open_a_new_ledger_at_once(ledger_url: str) -> None:
    async def opened() -> bytes:
        async with Ledger(ledger_url) as ledger:
            return await ledger.secret()

    assert len(set(await asyncio.gather(*(opened() for _ in range(4))))) == 1


async def test_a_server_that_restarts_is_used_again_without_an_error_left_over(
    own_postgres: PostgresServer,
) -> None:
    async with Ledger(own_postgres.url("postgres")) as ledger:
        await stored(ledger, submitted())
        await asyncio.gather(*(answers(ledger) for _ in range(4)))
        await asyncio.to_thread(own_postgres.kill)
        with pytest.raises(LedgerUnavailable):
            await answers(ledger)
        with pytest.raises(LedgerUnavailable):
            await stored(ledger, submitted("u"))
        await asyncio.to_thread(own_postgres.start)
        await stored(ledger, submitted("u"))
        found = await asyncio.gather(*(answers(ledger) for _ in range(4)))
        assert [len(one["tasks"]) for one in found] == [2] * 4
