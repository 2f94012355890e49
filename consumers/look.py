"""Looking at the queues: which of them have work."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from coordinator.broker.channel import Channel, Depth
from coordinator.broker.connection import Link
from coordinator.broker.pipeline import depths
from coordinator.errors import QueueMissing
from coordinator.protocol.lanes import Source

from .choosing import Sight, Waiting, breaths, by_level
from .sources import Sources

__all__ = ["PEEK", "Look"]

BREATH = 30
"""Queues that are asked together: what is saved by stopping early is less than another way costs."""

PEEK = 5
"""Queues that a resting agent asks at a time."""


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
        self._round: deque[Source] = deque()

    async def __call__(self, enough: int) -> Sight:
        """Look from the most urgent down, until ``enough`` tasks were seen.

        A level is always looked at as a whole, and small ones together.
        """
        began = self._clock()
        seen: dict[Source, Depth] = {}
        waiting: list[Waiting] = []
        for some in breaths(by_level(self._sources.to_look_at(), self._rng), BREATH):
            found = await self._depths(some)
            seen |= found
            waiting += (
                Waiting(source, found[source].ready)
                for source in some
                if source in found and found[source].ready
            )
            if sum(one.ready for one in waiting) >= enough:
                break
        return Sight(tuple(waiting), seen, self._clock() - began)

    async def peek(self) -> bool:
        """Ask the next few queues of a round over all of them: whether any has work."""
        if not self._round:
            everything = self._sources.to_look_at()
            self._rng.shuffle(everything)
            self._round.extend(everything)
        some = [self._round.popleft() for _ in range(min(PEEK, len(self._round)))]
        found = await self._depths(some)
        return any(depth.ready for depth in found.values())

    async def _depths(self, sources: list[Source]) -> dict[Source, Depth]:
        """Of those that exist."""
        channel = await self._open()
        try:
            found = await depths(channel, [source.queue for source in sources])
        except QueueMissing:
            return await self._one_by_one(sources)
        except BaseException:
            self._channel = None
            raise
        for source in sources:
            self._sources.found(source)
        return dict(zip(sources, found, strict=True))

    async def _one_by_one(self, sources: list[Source]) -> dict[Source, Depth]:
        """To learn which one is missing: each that is closes the channel."""
        found: dict[Source, Depth] = {}
        for source in sources:
            try:
                found[source] = await (await self._open()).depth(source.queue)
            except QueueMissing:
                self._sources.miss(source)
            else:
                self._sources.found(source)
        return found

    async def _open(self) -> Channel:
        if self._channel is None or not self._channel.open:
            self._channel = await self._link.channel()
        return self._channel
