"""Having tasks pushed: a channel on which an agent sits at doors, or focuses on one queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from consumers._working.task_executor import TaskExecutor
from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.errors import ChannelLost, QueueMissing
from coordinator.protocol.ids import new_id
from coordinator.protocol.task_queue import TaskQueue

from .served_queues import ServedQueues

__all__ = ["PushConsumer"]


class _Seat(NamedTuple):
    source: TaskQueue
    opening: int | None
    """`ServedQueues.opening` when it was taken."""
    window: int
    after: int
    """The last tag on the channel when it was taken: what came before takes none of its window."""


class PushConsumer:
    """Consumers, each with a tag that is never used again: ``<agent>.<what>.<id>``."""

    def __init__(
        self, link: Link, executor: TaskExecutor, sources: ServedQueues, *, agent_id: str
    ) -> None:
        self._link = link
        self._executor = executor
        self._sources = sources
        self._agent_id = agent_id
        self._channel: Channel | None = None
        self._tags: dict[str, _Seat] = {}
        self._latest = 0
        """The last delivery tag on the channel."""
        self._worn: list[Channel] = []
        self.arrived = 0
        """Tasks that were pushed, since the start."""

    @property
    def on(self) -> set[TaskQueue]:
        """The queues that push; empty once the channel is lost."""
        if self._channel is None or not self._channel.open:
            self._tags.clear()
        return {seat.source for seat in self._tags.values()}

    @property
    def rooms(self) -> dict[TaskQueue, int]:
        """How many more tasks each of those queues pushes before any that it has pushed ends."""
        if self._channel is None or not self.on:
            return {}
        unfinished = self._executor.unfinished_from(self._channel)
        rooms: dict[TaskQueue, int] = {}
        for seat in self._tags.values():
            taken = sum(
                one.source == seat.source and one.deliveries[-1].tag > seat.after
                for one in unfinished
            )
            rooms[seat.source] = max(0, seat.window - taken)
        return rooms

    async def start(self, source: TaskQueue, *, what: str, window: int) -> None:
        """Have up to ``window`` unsettled tasks of ``source`` pushed, until `stop`."""
        if self._channel is None or not self._channel.open:
            self._tags.clear()
            self._channel = await self._link.channel()
            self._latest = 0
        tag = f"{self._agent_id[:100]}.{what}.{new_id()}"
        if what == "focus":  # there is something to be pushed
            self._link.heads.of(source.queue).began(waiting=1)
        self._tags[tag] = _Seat(source, self._sources.opening(source), window, self._latest)
        try:
            await self._channel.prefetch(window)
            await self._channel.consume(
                source.queue,
                self._taker(source),
                tag=tag,
                on_cancelled=lambda: self._cancelled(tag),
            )
        except QueueMissing:
            self._sources.miss(source)
        except ChannelLost:
            self._tags.clear()
            raise

    async def stop(self) -> None:
        """When this returns, nothing more is pushed, and all that was pushed has been taken in."""
        channel, seats = self._channel, dict(self._tags)
        self._tags.clear()
        if channel is not None and channel.open:
            await asyncio.gather(*(channel.cancel(tag) for tag in seats))
            for seat in seats.values():
                self._link.heads.of(seat.source.queue).stopped()

    async def refresh(self) -> None:
        """Get up from queues that were given up, or opened again.

        Where a queue is deleted and declared again at once, RabbitMQ 3.10 moves its consumers to the
        new one without a word, and what the new one pushes to them never arrives: it comes back only
        when the channel is closed, which has to wait for what is in hand.
        """
        if any(self._sources.opening(seat.source) != seat.opening for seat in self._tags.values()):
            await self.stop()
            if self._channel is not None:
                self._worn.append(self._channel)
                self._channel = None
        for channel in self._worn[:]:
            if not channel.open or not self._executor.receipts.held_on(channel):
                self._worn.remove(channel)
                await channel.close()

    def _taker(self, source: TaskQueue) -> Callable[[Delivery], None]:
        def take_in(delivery: Delivery) -> None:
            self.arrived += 1
            self._link.heads.of(source.queue).passed()
            if delivery.channel is self._channel:
                self._latest = delivery.tag
            self._executor.take_in(delivery, source)

        return take_in

    def _cancelled(self, tag: str) -> None:
        """The broker ended it: the queue was deleted, or its leader is gone for good."""
        seat = self._tags.pop(tag, None)
        if seat is not None:
            self._sources.miss(seat.source)
            self._executor.changed.set()
