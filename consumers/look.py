"""Looking at the queues: which of them have work."""

from __future__ import annotations

import random
from collections.abc import Callable

from coordinator.broker.channel import Channel, Depth
from coordinator.broker.connection import Link
from coordinator.errors import QueueMissing
from coordinator.protocol.lanes import Source

from .choosing import Sight, Waiting, by_level
from .sources import Sources

__all__ = ["Look"]


class Look:
    """Passive declares on a channel that is used for nothing else, so that a slow look delays nothing.

    A queue whose leader is in trouble looks empty (0/0), so an empty sight is never proof: it only
    means that there is nothing to take until the next look.
    """

    def __init__(
        self, link: Link, sources: Sources, *, clock: Callable[[], float], rng: random.Random
    ) -> None:
        self._link = link
        self._sources = sources
        self._clock = clock
        self._rng = rng
        self._channel: Channel | None = None

    async def __call__(self, enough: int) -> Sight:
        """Look level by level, from the most urgent, until ``enough`` tasks were seen.

        A level is always looked at as a whole.
        """
        began = self._clock()
        depths: dict[Source, Depth] = {}
        waiting: list[Waiting] = []
        seen = 0
        for level in by_level(self._sources.to_look_at(), self._rng):
            for source in level:
                depth = await self._depth(source)
                if depth is None:
                    continue
                depths[source] = depth
                if depth.ready:
                    waiting.append(Waiting(source, depth.ready))
                    seen += depth.ready
            if seen >= enough:
                break
        return Sight(tuple(waiting), depths, self._clock() - began)

    async def _depth(self, source: Source) -> Depth | None:
        if self._channel is None or not self._channel.open:
            self._channel = await self._link.channel()
        try:
            depth = await self._channel.depth(source.queue)
        except QueueMissing:
            self._sources.miss(source)
            return None
        self._sources.found(source)
        return depth
