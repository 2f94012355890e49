"""Consumes queues, on one channel, while the agent rests or focuses on one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.errors import ChannelLost, QueueMissing, QueueRefused
from coordinator.protocol.ids import new_id
from coordinator.protocol.task_queue import TaskQueue

from .._working.task_executor import TaskExecutor
from .served_queues import ServedQueues

__all__ = ["PushConsumer"]


class _Consumer(NamedTuple):
    source: TaskQueue
    opening: int | None
    """`ServedQueues.opening` when it was started."""
    window: int
    after: int
    """The last tag on the channel when it was started: what came before takes none of its window."""


class PushConsumer:
    """Starts consumers, each with a tag that is never used again: ``<agent>.<what>.<id>``."""

    def __init__(
        self, link: Link, executor: TaskExecutor, sources: ServedQueues, *, agent_id: str
    ) -> None:
        self._link = link
        self._executor = executor
        self._sources = sources
        self._agent_id = agent_id
        self._channel: Channel | None = None
        self._tags: dict[str, _Consumer] = {}
        self._latest = 0
        """The last delivery tag on the channel."""
        self._outdated: list[Channel] = []
        self.arrived = 0
        """Tasks that were pushed, since the start."""

    @property
    def on(self) -> set[TaskQueue]:
        """The queues that push; empty once the channel is lost."""
        if self._channel is None or not self._channel.open:
            self._tags.clear()
        return {consumer.source for consumer in self._tags.values()}

    @property
    def rooms(self) -> dict[TaskQueue, int]:
        """How many more tasks each of those queues pushes before any that it has pushed ends."""
        if self._channel is None or not self.on:
            return {}
        unfinished = self._executor.unfinished_from(self._channel)
        rooms: dict[TaskQueue, int] = {}
        for consumer in self._tags.values():
            taken = sum(
                one.source == consumer.source and one.deliveries[-1].tag > consumer.after
                for one in unfinished
            )
            rooms[consumer.source] = max(0, consumer.window - taken)
        return rooms

    async def start(self, source: TaskQueue, *, what: str, window: int) -> None:
        """Have up to ``window`` unsettled tasks of ``source`` pushed, until `stop`. Not where it may turn
        out that this user may not read it, which would cost the channel, with what was pushed there and is
        in hand.
        """
        if not self._sources.was_read(source) and self._holds_something():
            return
        if self._channel is None or not self._channel.open:
            self._tags.clear()
            self._channel = await self._link.channel()
            self._latest = 0
        tag = f"{self._agent_id[:100]}.{what}.{new_id()}"
        if what == "focus":  # there is something to be pushed
            self._link.heads.of(source.queue).began(waiting=1)
        self._tags[tag] = _Consumer(source, self._sources.opening(source), window, self._latest)
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
        except QueueRefused as exc:  # and the channel is lost, with the consumers of other queues
            self._tags.clear()
            self._sources.refuse(source, exc)
        except ChannelLost:
            self._tags.clear()
            raise
        else:
            self._sources.may_read(source)

    async def stop(self) -> None:
        """When this returns, nothing more is pushed, and all that was pushed has been taken in."""
        channel, consumers = self._channel, dict(self._tags)
        self._tags.clear()
        if channel is not None and channel.open:
            await asyncio.gather(*(channel.cancel(tag) for tag in consumers))
            for consumer in consumers.values():
                self._link.heads.of(consumer.source.queue).stopped()

    async def refresh(self) -> None:
        """Cancel the consumers of queues that were given up, or opened again.

        Where a queue is deleted and declared again at once, RabbitMQ 3.10 moves its consumers to the
        new one without a word, and what the new one pushes to them never arrives: it comes back only
        when the channel is closed, which has to wait for what is in hand.
        """
        if any(
            self._sources.opening(consumer.source) != consumer.opening
            for consumer in self._tags.values()
        ):
            await self.stop()
            if self._channel is not None:
                self._outdated.append(self._channel)
                self._channel = None
        for channel in self._outdated[:]:
            if not channel.open or not self._executor.receipts.held_on(channel):
                self._outdated.remove(channel)
                await channel.close()

    def _holds_something(self) -> bool:
        return self._channel is not None and self._executor.receipts.held_on(self._channel) > 0

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
        consumer = self._tags.pop(tag, None)
        if consumer is not None:
            self._sources.miss(consumer.source)
            self._executor.changed.set()
