"""A ledger of the test's own, once in each database that it may be in."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from tests.support.postgres import PostgresServer

QUICK = "/dev/shm" if Path("/dev/shm").is_dir() else None


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite3'}"


@pytest.fixture
async def ledger(ledger_url: str) -> AsyncIterator[Ledger]:
    async with Ledger(ledger_url) as ledger:
        yield ledger


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_ledger(
    request: pytest.FixtureRequest,
) -> Iterator[Callable[[], AbstractAsyncContextManager[Ledger]]]:
    """Opens an empty ledger, one at a time, as often as a test of many examples asks."""
    if request.param == "sqlite":
        yield _new_file
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database() as url:
        ledger = Ledger(url)
        asyncio.run(ledger.__aenter__())
        yield lambda: _emptied(ledger)
        asyncio.run(ledger.__aexit__())


@contextlib.asynccontextmanager
async def _new_file() -> AsyncIterator[Ledger]:
    with tempfile.TemporaryDirectory(dir=QUICK) as folder:
        async with Ledger(f"sqlite:///{folder}/ledger.sqlite3") as ledger:
            yield ledger


@contextlib.asynccontextmanager
async def _emptied(ledger: Ledger) -> AsyncIterator[Ledger]:
    def empty(connection: Connection) -> None:
        for table in schema.metadata.sorted_tables:  # of a few rows: TRUNCATE takes longer
            connection.execute(table.delete())

    await ledger.write(empty)
    yield ledger
