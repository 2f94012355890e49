"""The ledger's file: kept, shared, locked, damaged, or of another version."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from coordinator.errors import LedgerUnavailable, OperatorError
from coordinator.registry.ledger.database_timeouts import DatabaseTimeouts
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import from_micros, micros
from tests.unit.domain.histories import submitted
from tests.unit.registry.answers import answers, stored

HASTY = DatabaseTimeouts(lock=0.05)


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


@given(st.datetimes(timezones=st.sampled_from([UTC])), st.datetimes(timezones=st.just(UTC)))
def test_instants_come_back_exactly_and_sort(first: datetime, second: datetime) -> None:
    assert from_micros(micros(first)) == first
    assert (micros(first) < micros(second)) == (first < second)
    assert -(2**63) <= micros(first) < 2**63


async def test_what_was_stored_is_there_after_a_restart(ledger_url: str) -> None:
    async with Ledger(ledger_url) as ledger:
        await stored(ledger, submitted())
        before = await answers(ledger)
    async with Ledger(ledger_url) as ledger:
        assert await answers(ledger) == before


async def test_the_secret_is_made_once(ledger_url: str) -> None:
    async with Ledger(ledger_url) as first, Ledger(ledger_url) as second:
        assert await first.secret() == await second.secret() == await first.secret()
        assert len(await first.secret()) == 32


async def test_a_commit_survives_a_loss_of_power(ledger: Ledger) -> None:
    """As far as the settings go: 2 is FULL, which flushes the log at each commit."""

    def flushes(connection: Connection) -> tuple[object, ...]:
        ask = connection.exec_driver_sql
        if connection.dialect.name == "postgresql":
            return (ask("SHOW synchronous_commit").scalar(),)
        return ask("PRAGMA journal_mode").scalar(), ask("PRAGMA synchronous").scalar()

    assert await ledger.write(flushes) in (("on",), ("wal", 2))


async def test_a_ledger_of_a_newer_version_is_refused_with_a_clear_sentence(
    ledger_url: str,
) -> None:
    async with Ledger(ledger_url) as ledger:
        update = schema.meta.update().where(schema.meta.c.name == "schema_version")
        await ledger.write(lambda connection: connection.execute(update.values(value="99")))
    with pytest.raises(OperatorError, match=r"schema 99.*update the coordinator"):
        async with Ledger(ledger_url):
            pass


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////proc/nowhere/ledger.sqlite3"])
async def test_a_ledger_that_cannot_be_opened_is_the_operators_to_mend(url: str) -> None:
    with pytest.raises(OperatorError):
        async with Ledger(url):
            pass


async def test_a_file_that_is_no_database_is_the_operators_to_mend(sqlite_url: str) -> None:
    file = file_of(sqlite_url)
    file.parent.mkdir(parents=True)
    file.write_text("this is no database, and long enough to be looked at " * 40)
    with pytest.raises(OperatorError, match="not a database"):
        async with Ledger(sqlite_url):
            pass


async def test_a_locked_database_is_unavailable_to_writers_and_open_to_readers(
    sqlite_url: str,
) -> None:
    async with Ledger(sqlite_url, timeouts=HASTY) as ledger:
        await stored(ledger, submitted())
        other = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerUnavailable, match="locked"):
            await stored(ledger, submitted("u"))
        assert len((await answers(ledger))["tasks"]) == 1
        other.rollback()
        other.close()
        await stored(ledger, submitted("u"))
        assert len((await answers(ledger))["tasks"]) == 2


async def test_a_ledger_is_opened_beside_somebody_who_writes_without_end(
    sqlite_url: str,
) -> None:
    async with Ledger(sqlite_url, timeouts=HASTY) as ledger:
        secret = await ledger.secret()
        other = sqlite3.connect(file_of(sqlite_url), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with Ledger(sqlite_url, timeouts=HASTY) as later:
            assert await later.secret() == secret
        other.rollback()
        other.close()


async def test_a_wrong_statement_is_a_bug_and_not_an_unavailable_ledger(ledger: Ledger) -> None:
    twice = {"name": "schema_version", "value": "1"}
    with pytest.raises(sa.exc.IntegrityError):
        await ledger.write(lambda connection: connection.execute(schema.meta.insert(), twice))


async def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger) -> None:
    def half(connection: Connection) -> None:
        connection.execute(schema.meta.insert(), {"name": "half", "value": "1"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await ledger.write(half)
    query = sa.select(schema.meta.c.value).where(schema.meta.c.name == "half")
    assert await ledger.read(lambda connection: connection.execute(query).scalar()) is None


def test_the_smallest_step_of_time_is_kept() -> None:
    instant = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(microseconds=1)
    assert from_micros(micros(instant)) - timedelta(microseconds=1) == instant.replace(
        microsecond=0
    )
