"""How long after the broker's confirm an event is in the ledger, while 2 000 tasks a second come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import events as table

from .registry_feed import Feed, feeding
from .registry_ledgers import Contents
from .registry_process import processor_seconds
from .registry_stage import Stage
from .registry_table import Figure, latencies

__all__ = ["LedgerWatch", "lag", "lag_of"]

RATE = 2000
"""Tasks a second."""

STEP = 0.01
WARM_UP = 1.0
"""Seconds that are not counted."""

UNDER_WAY = 20
"""Steps that wait for the broker's confirms; beyond it the rate falls."""

LOOK_EVERY = 0.003
ALL_SEEN_WITHIN = 60.0


async def lag(stage: Stage) -> list[Figure]:
    """Of submissions alone, and of the whole life of each task."""
    figures: list[Figure] = []
    for kind in stage.kinds:
        for whole in (False, True):
            rounds: list[list[float]] = []
            shares: list[float] = []
            rates: list[float] = []
            for _ in range(stage.scale.rounds):
                async with (
                    stage.filled(kind, Contents()) as database,
                    stage.broker() as amqp_url,
                    stage.service(database, amqp_url) as service,
                    Ledger(database.url) as ledger,
                    feeding(amqp_url) as feed,
                ):
                    watch = LedgerWatch(ledger)
                    used = processor_seconds(service.process.pid)
                    began = time.perf_counter()
                    found = await lag_of(stage.scale.lag_seconds, feed, watch, whole=whole)
                    took = time.perf_counter() - began
                    rounds.append(found)
                    rates.append(len(feed.confirmed) / (3 if whole else 1) / took)
                    shares.append((processor_seconds(service.process.pid) - used) / took)
            what = "done, 3 events each" if whole else "submitted alone"
            figures.append(latencies(f"lag, {kind}, {RATE} tasks/s {what}", rounds))
            figures.append(Figure(what="  reached, with all folded", unit="tasks/s", rounds=rates))
            figures.append(Figure(what="  cores of the coordinator", unit="cores", rounds=shares))
    return figures


async def lag_of(
    seconds: float, feed: Feed, watch: LedgerWatch, *, whole: bool, rate: int = RATE
) -> list[float]:
    """The seconds from the confirm of each event until ``watch`` has seen it, but for the first; ``whole``:
    of the life of each task, and not of its submission alone.
    """
    before = set(feed.confirmed)
    looking = asyncio.create_task(watch.look())
    try:
        due = began = time.perf_counter()
        sending: set[asyncio.Task[None]] = set()
        while due < began + WARM_UP + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            while len(sending) >= UNDER_WAY:  # the broker does not keep up: the table tells
                _, sending = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
            sending.add(asyncio.create_task(_send(feed, int(rate * STEP), whole=whole)))
            due += STEP
        await asyncio.gather(*sending)
        told = feed.confirmed.keys() - before
        await watch.until(lambda: told <= watch.seen.keys())
    finally:
        await cancel_and_wait(looking)
    return [
        max(0.0, watch.seen[event_id] - at)
        for event_id, at in feed.confirmed.items()
        if event_id in told and at > began + WARM_UP
    ]


async def _send(feed: Feed, count: int, *, whole: bool) -> None:
    tasks = feed.tasks(count)
    await feed.submit(tasks)
    if whole:
        await feed.tell(tasks)


class LedgerWatch:
    """When each event was first seen in the ledger, by another than its coordinator."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._position = 0
        self._arrived = asyncio.Event()
        self.seen: dict[str, float] = {}

    async def look(self) -> None:
        self._position = await self._ledger.read(_last)
        while True:
            found = await self._ledger.read(self._news)
            now = time.perf_counter()
            for position, event_id in found:
                self.seen[event_id] = now
                self._position = position
            self._arrived.set()
            await asyncio.sleep(LOOK_EVERY)

    async def until(self, fact: Callable[[], bool]) -> None:
        async with asyncio.timeout(ALL_SEEN_WITHIN):
            while not fact():
                self._arrived.clear()
                await self._arrived.wait()

    def _news(self, connection: Connection) -> list[tuple[int, str]]:
        query = sa.select(table.c.position, table.c.id).where(table.c.position > self._position)
        found = connection.execute(query.order_by(table.c.position))
        return [(row.position, row.id) for row in found]


def _last(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.max(table.c.position))).scalar() or 0
