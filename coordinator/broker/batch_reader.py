"""Reads a queue in batches, in order, and acknowledges each batch when its effect is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self

from coordinator.errors import ChannelLost
from coordinator.protocol.ids import new_id

from .channel import Delivery
from .connection import Link

__all__ = ["BatchReader"]


class BatchReader:
    """An async context manager over one link:

        async with BatchReader(link, queue=LOG, name="projector") as batches:
            async for batch in batches:
                store(batch)
                await batches.settle(batch)

    A batch is what has arrived by then, up to ``batch`` messages; at least ``spacing`` seconds lie
    between two batches that are not full, where the work is by the batch. Whatever was not settled when the
    link is lost is delivered again, to this reader or another.
    """

    def __init__(
        self, link: Link, *, queue: str, name: str, batch: int = 1000, spacing: float = 0.0
    ) -> None:
        self._link = link
        self._queue = queue
        self._name = name
        self._batch = batch
        self._spacing = spacing
        self._arrived: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._head = link.heads.of(queue)

    async def __aenter__(self) -> Self:
        # Twice the batch, so that the broker fills the next one while this one is stored.
        self._channel = await self._link.channel(prefetch=2 * self._batch)
        depth = await self._channel.depth(self._queue)
        self._head.began(waiting=depth.ready)
        self._watch = asyncio.create_task(self._end_when_lost())
        try:
            await self._channel.consume(
                self._queue,
                self._arrived.put_nowait,
                tag=f"{self._name}.{new_id()}",
                on_cancelled=lambda: self._arrived.put_nowait(None),
            )
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watch.cancel()
        if self._channel.open:
            await self._channel.close()
        else:
            self._head.connection_ended()

    async def __aiter__(self) -> AsyncIterator[list[Delivery]]:
        loop = asyncio.get_running_loop()
        last = -self._spacing
        while True:
            batch = [await self._next()]
            early = last + self._spacing - loop.time()
            if early > 0 and self._arrived.qsize() < self._batch:
                await asyncio.sleep(early)
            last = loop.time()
            while len(batch) < self._batch and not self._arrived.empty():
                batch.append(await self._next())
            yield batch
            if self._channel.open:
                self._head.passed()

    async def settle(self, batch: list[Delivery]) -> None:
        """Acknowledge everything up to the end of ``batch``."""
        await batch[-1].ack(multiple=True)

    async def check(self) -> None:
        """Ask the broker whether this reader is still there. Raises `ChannelLost`.

        One that was suspended for long may hold a batch that the broker has given to another.
        """
        await self._channel.prefetch(2 * self._batch)

    async def _next(self) -> Delivery:
        delivery = await self._arrived.get()
        if delivery is None:
            raise ChannelLost(f"The broker ended the reading of {self._queue!r}")
        return delivery

    async def _end_when_lost(self) -> None:
        await self._channel.closed()
        self._arrived.put_nowait(None)
