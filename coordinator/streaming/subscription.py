"""Queues what one subscriber is still to be sent, up to a bound: who does not keep up is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from .stream_frames import TOO_SLOW, StreamEnd
from .streamed_event import MissingEvents, StreamedEvent

__all__ = ["MOST_QUEUED", "Renders", "Subscription"]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

MOST_QUEUED = 1024 * 1024
"""Bytes that wait for one subscriber. They are the same objects for all who get the same."""


class Renders(Protocol[T_co]):
    """Makes of events what subscribers are sent: bytes of frames, or the events as they are. Called once a
    round for all subscribers with the same filter.
    """

    def __call__(self, events: Sequence[StreamedEvent | MissingEvents], /) -> Sequence[T_co]: ...


def _uncounted() -> None:
    """Nobody counts."""


class Subscription(Generic[T]):
    """Belongs to one subscriber, who takes from it; the feed puts into it, and never waits. ``cut`` is called
    where that has ended it, since the subscriber does not keep up; it takes no time and raises nothing.
    """

    __slots__ = ("_cut", "_most", "_queue", "_size", "_waiter", "ended")

    def __init__(self, most: int = MOST_QUEUED, *, cut: Callable[[], None] = _uncounted) -> None:
        self._most = most
        self._cut = cut
        self._queue: list[T] = []
        self._size = 0
        self._waiter: asyncio.Future[None] | None = None
        """While somebody waits in `take`."""
        self.ended: StreamEnd | None = None
        """Why nothing more is put into it."""

    @property
    def drained(self) -> bool:
        """Whether the subscriber has taken all that was put into it."""
        return not self._queue

    def put(self, items: Sequence[T], size: int) -> None:
        """Queue them; ``size`` is theirs in bytes. Where there is no room, the subscription ends and its
        queue is given up: the subscriber has the position up to which it has read.
        """
        if self.ended is not None:
            return
        if self._queue and self._size + size > self._most:
            self._queue = []
            self.end(TOO_SLOW)
            self._cut()
            return
        self._queue += items
        self._size += size
        self._wake()

    def end(self, why: StreamEnd) -> None:
        """What is queued is still taken."""
        if self.ended is None:
            self.ended = why
            self._wake()

    async def take(self, within: float) -> list[T]:
        """All that is queued; nothing where nothing was put into it for ``within`` seconds, or where it has
        ended.
        """
        if not self._queue and self.ended is None:
            # By hand: a time-out that cancels, around an event, takes longer than all else of a delivery.
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(within, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        taken, self._queue, self._size = self._queue, [], 0
        return taken

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
