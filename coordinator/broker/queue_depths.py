"""How deep queues are: passive declares on a channel kept for that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from coordinator.errors import BrokerUnavailable, QueueMissing

from .channel import Channel, Depth
from .connection import Link
from .pipelined_depths import depths

__all__ = ["QueueDepths"]

BREATH = 50
"""Queues that are asked together. More would keep a coordinator's other work waiting."""


class QueueDepths:
    """Looks at queues over the ``link`` of the moment, on a channel that is used for nothing else, so that a
    slow look delays nothing. One look at a time.
    """

    def __init__(self, link: Callable[[], Link | None]) -> None:
        self._link = link
        self._channel: Channel | None = None
        self._lock = asyncio.Lock()

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        """The depth of each queue, None for one that does not exist. Raises `BrokerUnavailable`."""
        found: dict[str, Depth | None] = {}
        asked = list(queues)
        async with self._lock:
            for start in range(0, len(asked), BREATH):
                found |= await self._together(asked[start : start + BREATH])
        return found

    async def _together(self, queues: Sequence[str]) -> dict[str, Depth | None]:
        try:
            found = await depths(await self._open(), queues)
        except QueueMissing:
            return {queue: await self._alone(queue) for queue in queues}
        except BaseException:
            self._channel = None  # answers may still come on it
            raise
        return dict(zip(queues, found, strict=True))

    async def _alone(self, queue: str) -> Depth | None:
        """To learn which one is missing: each that is closes the channel."""
        try:
            return await (await self._open()).depth(queue)
        except QueueMissing:
            return None

    async def _open(self) -> Channel:
        if self._channel is None or not self._channel.open:
            link = self._link()
            if link is None:
                raise BrokerUnavailable
            self._channel = await link.channel()
        return self._channel
