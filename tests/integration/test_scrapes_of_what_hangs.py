"""A scrape is answered before Prometheus gives up, whatever the broker or the database does."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.support.broker import Broker, OwnBroker
from tests.support.scraping import Scraped, scrape
from tests.support.serving import Service, serving

pytestmark = pytest.mark.any_broker

PATIENCE = 10.0
"""Seconds that Prometheus waits by default; then it takes the service for one that is down."""


async def scraped_in_time(service: Service) -> Scraped:
    began = time.monotonic()
    page = await scrape(service.http)
    assert time.monotonic() - began < PATIENCE
    return page


def missing(page: Scraped) -> set[str]:
    return {part for part, failed in page.by("part", "scrape_part_failed").items() if failed}


async def test_a_broker_that_hangs_is_missing_and_the_rest_is_told(
    own_broker: OwnBroker, tmp_path: Path
) -> None:
    async with serving(own_broker, tmp_path) as service:
        await service.post("/tasks/submit", task_data={})
        await own_broker.suspend()
        try:
            for _ in range(2):
                page = await scraped_in_time(service)
                assert "log" in missing(page)
                assert not {"ages", "ledger"} & missing(page)
                assert page.total("tasks_submitted_total") == 1
        finally:
            await own_broker.resume()


async def test_a_table_that_another_has_locked_is_missing_and_the_rest_is_told(
    broker: Broker, tmp_path: Path, postgres_url: str
) -> None:
    url = postgres_url.replace("postgresql:", "postgresql+psycopg:")
    other = sa.create_engine(url, poolclass=sa.NullPool)
    async with serving(broker, tmp_path, database_url=postgres_url) as service:
        await service.post("/tasks/submit", task_data={})
        with other.begin() as holder:
            holder.execute(sa.text("LOCK TABLE tasks, outbox, parked IN ACCESS EXCLUSIVE MODE"))
            for _ in range(2):
                page = await scraped_in_time(service)
                assert {"ages", "ledger"} <= missing(page)
                assert "log" not in missing(page)
                assert page.total("tasks_submitted_total") == 1
