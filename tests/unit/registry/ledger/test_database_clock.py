"""Coordinators whose own clocks differ, on one ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.protocol.reference_clock import ReferenceClock
from coordinator.registry.ledger.database_clock import COMPARED_EVERY, DatabaseClock
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.idempotency_keys import IdempotencyKeys
from coordinator.registry.stores.outbox_rows import OutboxRows
from tests.support.postgres import PostgresServer
from tests.support.waiting import eventually
from tests.unit.domain.histories import failed, started, submitted
from tests.unit.registry.answers import stored

NEAR = timedelta(seconds=5)


@pytest.fixture
def ledger_url(postgres: PostgresServer, postgres_url: str) -> str:
    return postgres_url


def ahead(ledger: Ledger, seconds: float, compared_every: float = COMPARED_EVERY) -> DatabaseClock:
    own = ReferenceClock(wall=lambda: datetime.now(UTC) + timedelta(seconds=seconds))
    return DatabaseClock(ledger, own, compared_every=compared_every)


@pytest.mark.parametrize("seconds", [-3600, -20, 20, 3600])
async def test_a_coordinator_goes_by_the_clock_of_the_database(
    ledger: Ledger, seconds: float
) -> None:
    clock = ahead(ledger, seconds)
    await clock.compare()
    assert abs(clock.now() - datetime.now(UTC)) < NEAR
    assert clock.now().tzinfo is UTC


async def test_with_a_file_it_is_the_machines_own(sqlite_url: str) -> None:
    async with Ledger(sqlite_url) as ledger:
        clock = ahead(ledger, 3600)
        await clock.compare()
        assert clock.now() > datetime.now(UTC) + timedelta(minutes=59)


async def test_what_one_has_taken_no_other_takes_whose_clock_is_ahead(ledger: Ledger) -> None:
    right, wrong = ahead(ledger, 0), ahead(ledger, 20)
    await stored(ledger, submitted(), started(), failed())  # due long ago
    for clock in (right, wrong):
        await clock.compare()
    assert len(await OutboxRows(ledger, now=right.now).lease()) == 1
    assert await OutboxRows(ledger, now=wrong.now).lease() == []
    keys = [
        IdempotencyKeys(ledger, kept=timedelta(days=1), now=clock.now) for clock in (right, wrong)
    ]
    first, second = [await one.claim("key", "same", timedelta(seconds=15)) for one in keys]
    assert type(first) is not type(second)


async def test_it_is_compared_again_and_again(ledger: Ledger) -> None:
    clock = ahead(ledger, 3600, compared_every=0.01)
    running = asyncio.create_task(clock.run())
    await eventually(lambda: clock.now() < datetime.now(UTC) + NEAR)
    running.cancel()
