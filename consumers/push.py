"""Having tasks pushed: a channel on which an agent sits at doors, or focuses on one queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.errors import ChannelLost, QueueMissing
from coordinator.protocol.ids import new_id
from coordinator.protocol.lanes import Source

from .sources import Sources
from .workbench import Workbench

__all__ = ["Push"]


class Push:
    """Consumers, each with a tag that is never used again: ``<agent>.<what>.<id>``."""

    def __init__(self, link: Link, bench: Workbench, sources: Sources, *, agent_id: str) -> None:
        self._link = link
        self._bench = bench
        self._sources = sources
        self._agent_id = agent_id
        self._channel: Channel | None = None
        self._tags: dict[str, Source] = {}
        self.arrived = 0
        """Tasks that were pushed, since the start."""

    @property
    def on(self) -> set[Source]:
        """The queues that push; empty once the channel is lost."""
        if self._channel is None or not self._channel.open:
            self._tags.clear()
        return set(self._tags.values())

    async def start(self, source: Source, *, what: str, window: int) -> None:
        """Have up to ``window`` unsettled tasks of ``source`` pushed, until `stop`."""
        if self._channel is None or not self._channel.open:
            self._tags.clear()
            self._channel = await self._link.channel()
        tag = f"{self._agent_id[:100]}.{what}.{new_id()}"
        self._tags[tag] = source
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
        channel, tags = self._channel, list(self._tags)
        self._tags.clear()
        if channel is not None and channel.open:
            await asyncio.gather(*(channel.cancel(tag) for tag in tags))

    def _taker(self, source: Source) -> Callable[[Delivery], None]:
        def take_in(delivery: Delivery) -> None:
            self.arrived += 1
            self._bench.take_in(delivery, source)

        return take_in

    def _cancelled(self, tag: str) -> None:
        """The broker ended it: the queue was deleted, or its leader is gone for good."""
        source = self._tags.pop(tag, None)
        if source is not None:
            self._sources.miss(source)
            self._bench.changed.set()
