"""How fast a backlog of the log gets into the ledger, beside how fast the log can be read at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import cast

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.connection import Connection, Link
from coordinator.broker.publisher import Publisher
from coordinator.protocol.messages.events import Event
from coordinator.protocol.topology import LOG, TOPOLOGY, task_queue_topology
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.log_decoder import LogDecoder
from coordinator.registry.projection.projector import BESIDE, ProjectionListeners, Projector
from coordinator.registry.projection.projector_fence import ProjectorFence

from .registry_feed import feeding
from .registry_stage import SECRET, SQLITE, Stage
from .registry_table import Figure
from .registry_tasks import task

__all__ = ["catch_up"]

AT_ONCE = 200
"""Tasks between their submission and their completion in the log."""

Fold = Callable[[Link, int], Awaitable[None]]
"""Returns once so many events went through."""


async def catch_up(stage: Stage) -> list[Figure]:
    """Three events a task: each in a message of its own, which is the worst case, and as busy agents
    tell them, fifty in a message.
    """
    count = stage.scale.events
    read = await _rounds(stage, _read, batched=False)
    figures = [_figure("log read and acknowledged, one event a message", count, read)]
    for kind in stage.kinds:
        for batched in (False, True):
            found = await _rounds(stage, _Folding(stage, kind).fold, batched=batched)
            how = "agents tell 50 a message" if batched else "one event a message"
            aim = "15 000" if kind == SQLITE else ""
            figures.append(_figure(f"log folded into {kind}, {how}", count, found, aim=aim))
    return figures


def _figure(
    what: str, count: int, found: Sequence[tuple[float, float]], *, aim: str = ""
) -> Figure:
    return Figure(
        what=what,
        unit="events/s",
        rounds=[count / clock for clock, _ in found],
        cpu=[count / cpu for _, cpu in found],
        aim=aim,
    )


async def _rounds(stage: Stage, fold: Fold, *, batched: bool) -> list[tuple[float, float]]:
    """Seconds by the clock and of the processor."""
    found: list[tuple[float, float]] = []
    for _ in range(stage.scale.rounds):
        async with (
            stage.broker() as amqp_url,
            Connection(amqp_url, name="catching up") as connection,
        ):
            link = await connection.opened()
            await _fill(link, amqp_url, stage.scale.events // 3, batched=batched)
            began, used = time.perf_counter(), time.process_time()
            await fold(link, stage.scale.events)
            found.append((time.perf_counter() - began, time.process_time() - used))
    return found


async def _fill(link: Link, amqp_url: str, tasks: int, *, batched: bool) -> None:
    channel = await link.channel()
    await channel.declare(TOPOLOGY)
    await channel.declare(task_queue_topology(task(0).source))
    await channel.close()
    async with feeding(amqp_url) as feed:
        for _ in range(0, tasks, AT_ONCE):
            await feed.pass_through(feed.tasks(AT_ONCE), batched=batched)


async def _read(link: Link, count: int) -> None:
    async with BatchReader(
        link, queue=LOG, name="reader", batch=BESIDE.batch, spacing=BESIDE.spacing
    ) as batches:
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
                    fence=ProjectorFence(ledger),
                    reader=LogDecoder(secret=SECRET.encode()),
                    commands=CommandSender(cast("Publisher", None)),
                    told=ProjectionListeners(folded=tell),
                )
                running = asyncio.create_task(projector.session(link))
                await done.wait()
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running
