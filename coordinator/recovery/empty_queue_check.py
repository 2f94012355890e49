"""Checks that a queue is empty, by taking from it where looking is not enough."""

from __future__ import annotations

from coordinator.broker.connection import Link
from coordinator.broker.ports import ReadsQueueDepths
from coordinator.errors import QueueMissing

__all__ = ["is_empty"]


async def is_empty(link: Link, depths: ReadsQueueDepths, queue: str) -> bool:
    """Whether no message waits on ``queue``, or there is no such queue. A message that is taken is given
    back at once. Raises `BrokerUnavailable`.

    A look alone finds nothing also where the queue's leader is in trouble; taking does not.
    """
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
