"""Locks a name on the broker: one connection holds it, and loses it with its own end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from coordinator.errors import BrokerUnavailable, QueueLocked
from coordinator.protocol.topology import Topology, lock_queue

from .connection import Link

__all__ = ["held"]

RETRY = 0.05
"""Seconds between two tries."""


@asynccontextmanager
async def held(link: Link, name: str, *, patience: float = 0.0) -> AsyncIterator[None]:
    """Hold ``name`` against every other connection while the block lasts; the tasks of one process
    share a connection, and are not kept apart.

    Raises `QueueLocked` where another has held it for longer than ``patience`` seconds.
    """
    await _take(link, name, patience)
    try:
        yield
    finally:
        with suppress(BrokerUnavailable):  # then it goes with the connection
            channel = await link.channel()
            await channel.delete_queue(lock_queue(name).name)
            await channel.close()


async def _take(link: Link, name: str, patience: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        channel = await link.channel()
        try:
            await channel.declare(Topology(queues=(lock_queue(name),)))
        except QueueLocked:
            if loop.time() >= deadline:
                raise
            await asyncio.sleep(RETRY)
        else:
            await channel.close()
            return
