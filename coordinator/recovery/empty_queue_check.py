"""Whether no message waits on a queue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.errors import QueueMissing

__all__ = ["LooksAtQueues", "is_empty"]


class LooksAtQueues(Protocol):
    """`broker.queue_depths.QueueDepths`."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]: ...


async def is_empty(link: Link, depths: LooksAtQueues, queue: str) -> bool:
    """A look alone finds nothing also where the queue's leader is in trouble; taking does not."""
    depth = (await depths.look([queue]))[queue]
    if depth is not None and depth.ready:
        return False
    channel = await link.channel()
    try:
        delivery = await channel.get(queue)
    except QueueMissing:
        return True
    if delivery is not None:
        await delivery.give_back()
    await channel.close()
    return delivery is None
