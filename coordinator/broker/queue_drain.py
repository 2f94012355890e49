"""Empties a queue exactly: each message counted was in hand, and is gone only after it was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from coordinator.errors import BrokerUnavailable, QueueMissing
from coordinator.protocol.ids import new_id

from .channel import Channel, Delivery
from .connection import Link
from .undeliverable_head import HeadOfQueue, undeliverable

__all__ = ["drain", "relay"]

BATCH = 500
IDLE = 0.05
"""Seconds without a delivery before it is asked whether anything is left."""


async def drain(
    link: Link, queue: str, record: Callable[[list[Delivery]], Awaitable[Sequence[Delivery]]]
) -> int:
    """Take what is in ``queue`` now, and no more than that; return how many were recorded.

    Each batch is given to ``record``, which must have stored it when it returns; only then is it
    acknowledged. What ``record`` returns are those of the batch that it could not read: they are
    rejected, so that the queue dead-letters them, and are not counted. Where ``record`` or the link
    fails, the batch is back on the queue. A queue that does not exist is empty. Raises
    `BrokerUnavailable`, also for one that the broker cannot deliver from.
    """
    head = _head(link, queue)
    channel = await link.channel(prefetch=BATCH)
    try:
        left = (await channel.depth(queue)).ready
        recorded = 0
        while left > 0:
            batch = await _take(channel, queue, min(left, BATCH), head)
            if not batch:
                break
            unreadable = {delivery.tag: delivery for delivery in await record(batch)}
            for delivery in unreadable.values():
                await delivery.reject()
            kept = [delivery for delivery in batch if delivery.tag not in unreadable]
            if kept:
                await kept[-1].ack(multiple=True)
            recorded += len(kept)
            left -= len(batch)
        return recorded
    except QueueMissing:
        return 0
    finally:
        if channel.open:
            await channel.close()
        (head.stopped if link.open else head.connection_ended)()


async def relay(
    link: Link, queue: str, send: Callable[[list[Delivery]], Awaitable[Sequence[bool]]]
) -> None:
    """Pass on what is in ``queue`` now, in order, and no more than that.

    Each batch is given to ``send``, which says of each message whether it was confirmed elsewhere, or is
    of no use: those are acknowledged. The others go back, and nothing more is passed on. A queue that
    does not exist is empty. Raises `BrokerUnavailable`, also for one that the broker cannot deliver from.
    """
    head = _head(link, queue)
    channel = await link.channel(prefetch=BATCH)
    try:
        left = (await channel.depth(queue)).ready
        while left > 0:
            batch = await _take(channel, queue, min(left, BATCH), head)
            if not batch:
                return
            gone = await send(batch)
            if all(gone):
                await batch[-1].ack(multiple=True)
            else:
                for delivery, is_gone in zip(batch, gone, strict=True):
                    await (delivery.ack() if is_gone else delivery.give_back())
                return
            left -= len(batch)
    except QueueMissing:
        return
    finally:
        if channel.open:
            await channel.close()
        (head.stopped if link.open else head.connection_ended)()


def _head(link: Link, queue: str) -> HeadOfQueue:
    head = link.heads.of(queue)
    if head.rests:
        raise BrokerUnavailable(f"{undeliverable(queue)}; it is left alone for a while")
    return head


async def _take(channel: Channel, queue: str, wanted: int, head: HeadOfQueue) -> list[Delivery]:
    """Up to ``wanted`` messages; fewer where others were quicker."""
    await channel.prefetch(wanted)
    head.began(waiting=wanted)
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    tag = f"drain.{new_id()}"
    await channel.consume(queue, arrived.put_nowait, tag=tag)
    batch: list[Delivery] = []
    while len(batch) < wanted:
        try:
            async with asyncio.timeout(IDLE):
                batch.append(await arrived.get())
        except TimeoutError:
            if (await channel.depth(queue)).ready == 0 and arrived.empty():
                break
    await channel.cancel(tag)
    while not arrived.empty():
        batch.append(arrived.get_nowait())
    if batch:
        head.passed()
    return batch
