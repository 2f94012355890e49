"""Reads a queue in batches, in order, and acknowledges each batch when its effect is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from enum import Enum, auto
from typing import Self

from coordinator.errors import ChannelLost
from coordinator.protocol.ids import new_id

from .channel import Delivery
from .connection import Link
from .prefetch_window import PrefetchWindow

__all__ = ["BatchReader"]


class _End(Enum):
    """Stands behind the last message of a reader."""

    WINDOW_CHANGED = auto()


class BatchReader:
    """An async context manager over one link:

        async with BatchReader(link, queue=LOG, name="projector") as batches:
            async for batch in batches:
                store(batch)
                await batches.settle(batch)

    A batch is what has arrived by then, up to ``batch`` messages; at least ``spacing`` seconds lie
    between two batches that are not full, where the work is by the batch. Whatever was not settled when the
    link is lost is delivered again, to this reader or another.

    With a ``window`` it holds no more bytes than that allows. Where the window has changed, the batches end
    once what is held was handed out: make another reader with the same window, and all else comes again.
    """

    def __init__(
        self,
        link: Link,
        *,
        queue: str,
        name: str,
        batch: int = 1000,
        spacing: float = 0.0,
        window: PrefetchWindow | None = None,
    ) -> None:
        self._link = link
        self._queue = queue
        self._name = name
        # Twice the batch, so that the broker fills the next one while this one is stored.
        self._prefetch = 2 * batch if window is None else min(2 * batch, window.count)
        self._batch = min(batch, -(-self._prefetch // 2))
        self._batch_bytes = None if window is None else window.most_bytes // 4
        self._spacing = spacing
        self._window = window
        self._arrived: asyncio.Queue[Delivery | _End | None] = asyncio.Queue()
        self._ending = False
        self._head = link.heads.of(queue)

    async def __aenter__(self) -> Self:
        if self._window is not None:
            self._window.begin()
        self._channel = await self._link.channel(prefetch=self._prefetch)
        depth = await self._channel.depth(self._queue)
        self._head.began(waiting=depth.ready)
        self._watch = asyncio.create_task(self._end_when_lost())
        try:
            await self._channel.consume(
                self._queue,
                self._take,
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
        while (first := await self._next()) is not None:
            batch = [first]
            early = last + self._spacing - loop.time()
            if early > 0 and self._arrived.qsize() < self._batch:
                await asyncio.sleep(early)
            last = loop.time()
            size = len(first.message.body)
            while len(batch) < self._batch and not self._arrived.empty():
                if self._batch_bytes is not None and size >= self._batch_bytes:
                    break
                delivery = await self._next()
                if delivery is None:
                    self._end()  # once more, behind this batch
                    break
                batch.append(delivery)
                size += len(delivery.message.body)
            yield batch
            if self._channel.open:
                self._head.passed()

    async def settle(self, batch: list[Delivery]) -> None:
        """Acknowledge everything up to the end of ``batch``."""
        await batch[-1].ack(multiple=True)
        if self._window is not None:
            size = sum(len(delivery.message.body) for delivery in batch)
            if self._window.settle(len(batch), size):
                self._end()

    async def check(self) -> None:
        """Ask the broker whether this reader is still there. Raises `ChannelLost`.

        One that was suspended for long may hold a batch that the broker has given to another.
        """
        await self._channel.prefetch(self._prefetch)

    def _take(self, delivery: Delivery) -> None:
        """What comes once the window has changed is let go: it comes again over the next channel."""
        if self._ending:
            return
        if self._window is not None and not self._window.take(len(delivery.message.body)):
            self._end()
            return
        self._arrived.put_nowait(delivery)

    def _end(self) -> None:
        self._ending = True
        self._arrived.put_nowait(_End.WINDOW_CHANGED)

    async def _next(self) -> Delivery | None:
        """None where all was handed out that may be held."""
        delivery = await self._arrived.get()
        if delivery is None:
            raise ChannelLost(f"The broker ended the reading of {self._queue!r}")
        return delivery if isinstance(delivery, Delivery) else None

    async def _end_when_lost(self) -> None:
        await self._channel.closed()
        self._arrived.put_nowait(None)
