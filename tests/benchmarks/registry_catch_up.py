"""How fast a backlog of the log gets into the ledger, beside how fast the log can be read at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.protocol.codec import encode, routing_key
from coordinator.protocol.events import Event
from coordinator.protocol.topology import EVENTS, LOG, TASKS, TOPOLOGY, source_topology
from coordinator.registry.commands import AgentCommands
from coordinator.registry.fence import Fence
from coordinator.registry.ledger import Ledger
from coordinator.registry.projector import BATCH, Projector, Told

from .registry_feed import Feed, feeding
from .registry_stage import SECRET, Stage
from .registry_table import Figure
from .registry_tasks import completed, started, task

__all__ = ["catch_up"]

Fold = Callable[[Link, int], Awaitable[None]]
"""Returns once so many events went through."""


async def catch_up(stage: Stage) -> list[Figure]:
    """One event a message, which is the worst case; three events a task."""
    count = stage.scale.events
    reading = await _rounds(stage, _read)
    figures = [
        Figure(
            what="log read and acknowledged, one event a message",
            unit="/s",
            rounds=[count / clock for clock, _ in reading],
            cpu=[count / cpu for _, cpu in reading],
        )
    ]
    for kind in stage.kinds:
        found = await _rounds(stage, _Folding(stage, kind).fold)
        figures.append(
            Figure(
                what=f"log folded into {kind}",
                unit="/s",
                rounds=[count / clock for clock, _ in found],
                cpu=[count / cpu for _, cpu in found],
                aim="15 000" if kind == "SQLite" else "",
            )
        )
    return figures


async def _rounds(stage: Stage, fold: Fold) -> list[tuple[float, float]]:
    """Seconds by the clock and of the processor."""
    found: list[tuple[float, float]] = []
    for _ in range(stage.scale.rounds):
        async with (
            stage.broker() as amqp_url,
            Connection(amqp_url, name="catching up") as connection,
        ):
            link = await connection.opened()
            await _fill(link, amqp_url, stage.scale.events)
            began, used = time.perf_counter(), time.process_time()
            await fold(link, stage.scale.events)
            found.append((time.perf_counter() - began, time.process_time() - used))
    return found


async def _fill(link: Link, amqp_url: str, events: int) -> None:
    """The log of ``events`` // 3 tasks."""
    tasks = [task(number, secret=SECRET.encode()) for number in range(events // 3)]
    channel = await link.channel()
    await channel.declare(TOPOLOGY)
    await channel.declare(source_topology(tasks[0].source))
    await channel.close()
    async with feeding(amqp_url) as feed:
        for start in range(0, len(tasks), 200):
            some = tasks[start : start + 200]
            await feed.send([Outgoing(one.to_message(), TASKS, one.source.key) for one in some])
            await _tell(feed, [started(one) for one in some])
            await _tell(feed, [completed(one) for one in some])


async def _tell(feed: Feed, events: list[Event]) -> None:
    await feed.send([Outgoing(encode(one), EVENTS, routing_key(one.data)) for one in events])


async def _read(link: Link, count: int) -> None:
    async with BatchReader(link, queue=LOG, name="reader", batch=BATCH) as batches:
        async for batch in batches:
            count -= len(batch)
            await batches.settle(batch)
            if count <= 0:
                return


class _Folding:
    """Into a new ledger each time."""

    def __init__(self, stage: Stage, kind: str) -> None:
        self._stage = stage
        self._kind = kind

    async def fold(self, link: Link, count: int) -> None:
        done = asyncio.Event()
        folded = 0

        def tell(events: object) -> None:
            nonlocal folded
            folded += len(cast("list[Event]", events))
            if folded >= count:
                done.set()

        with self._stage.database(self._kind) as database:
            async with Ledger(database.url) as ledger:
                projector = Projector(
                    fence=Fence(ledger),
                    secret=SECRET.encode(),
                    commands=AgentCommands(cast("Publisher", None)),
                    told=Told(folded=tell),
                )
                running = asyncio.create_task(projector.session(link))
                await done.wait()
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
