"""Follows the events of one subscriber from a position on: first those of the ledger, then what happens next.

    open ─▶ replay, page by page ─▶ join the feed ─▶ live ─▶ ended
                  │ who does not follow                        ▲
                  └────────────────────────────────────────────┘

Each step looks now and then at whether the process goes on, and whether the subscriber may still have this.

Between the last page and the first live event there is nothing: the feed takes a subscriber where it has all
that follows its position in memory, and gives it that in the same step.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from coordinator.errors import LedgerUnavailable

from .event_feed import EventFeed
from .event_filter import EventFilter
from .stream_frames import CAUGHT_UP, NOT_ALLOWED, STOPPING, UNREADABLE, StreamEnd
from .streamed_event import MissingEvents, StreamedEvent
from .subscription import Renders, Subscription

__all__ = ["EventCursor"]

T = TypeVar("T")

PULSE = 15.0
"""Seconds without anything to send until that is said, for proxies that cut what is silent, and to notice
clients that are gone; and between two looks at whether the subscriber still may have this stream."""


async def _always() -> bool:
    return True


class EventCursor(Generic[T]):
    """Counts as one of the feed's streams between `open` and `close`; what it follows comes from `batches`.

    ``render`` makes of events what the subscriber is sent. ``after``: the position that the subscriber has,
    None for what happens from now on. Who does not ``follow`` is given what the ledger has by now, without a
    position all that is kept. ``allowed`` is asked now and then whether the credential still counts.
    """

    def __init__(
        self,
        feed: EventFeed,
        wanted: EventFilter,
        render: Renders[T],
        *,
        after: int | None,
        follow: bool = True,
        allowed: Callable[[], Awaitable[bool]] = _always,
        pulse: float = PULSE,
    ) -> None:
        self._feed = feed
        self._wanted = wanted
        self._render = render
        self._after = after
        self._follow = follow
        self._until: int | None = None
        """Where it ends by itself."""
        self._allowed = allowed
        self._pulse = pulse
        self._beats_at = 0.0
        self._told_to = 0
        self.position = 0
        """Where it begins; and when it is `silent`, up to where all was in the batches before."""
        self.silent = False
        """Whether the last batch is empty because nothing was to be sent for a while."""
        self.ahead_of: int | None = None
        """The end of the ledger, where that had not reached the subscriber's position: it begins there."""
        self.subscription: Subscription[T] | None = None
        """Once it is live; others may put into it, too."""
        self.ended = STOPPING
        """Why it has ended, once `batches` has."""

    async def open(self) -> None:
        """Raises `StreamRefused`, or `LedgerUnavailable`."""
        opened = await self._feed.open(self._after)
        end = opened.end
        if not self._follow:
            self._until = end
        if self._after is not None:
            self.position = min(self._after, end)
        elif self._follow:
            self.position = end
        else:
            self._told_to = opened.forgotten_to  # nothing is missing of what is kept
        if self._after is not None and self._after > end:
            self.ahead_of = end

    def close(self) -> None:
        """Once, whether it has ended by itself or not."""
        if self.subscription is not None:
            self._feed.leave(self._wanted, self._render, self.subscription)
            self.subscription = None
        self._feed.close()

    async def batches(self) -> AsyncIterator[Sequence[T]]:
        """What is to be sent, in order; one batch, which may be empty, is the first of those that are live.
        Raises nothing: why it ends is in `ended`.
        """
        self._beats_at = asyncio.get_running_loop().time() + self._pulse
        try:
            async for batch in self._replayed():
                yield batch
        except LedgerUnavailable:
            self.ended = UNREADABLE
            return
        if self.subscription is None:
            return
        async for batch in self._live(self.subscription):
            yield batch

    async def _replayed(self) -> AsyncIterator[Sequence[T]]:
        """Until the subscription begins, or the stream ends before that."""
        while not self._feed.stopped:
            if self._until is None:
                if self.position > self._feed.head and not await self._feed.reached(self.position):
                    return
                joined = self._feed.join(self._wanted, self._render, self.position)
                if joined is not None:
                    missed, self.subscription = joined
                    self.silent = False
                    yield missed
                    return
            elif self.position >= self._until:
                self.ended = CAUGHT_UP
                return
            page = await self._feed.replay(self._wanted, self.position)
            if page.forgotten_to > max(self.position, self._told_to):
                self._told_to = page.forgotten_to
                missing = MissingEvents(after=self.position, until=self._told_to)
                yield self._render([missing])
            batch = self._render(
                [StreamedEvent(one) for one in page.events if self._wanted.matches(one)]
            )
            self.position = page.reached
            beats = self._beats()
            self.silent = beats and not batch
            if batch or beats:
                yield batch
            if beats and not await self._allowed():
                self.ended = NOT_ALLOWED
                return

    async def _live(self, subscription: Subscription[T]) -> AsyncIterator[Sequence[T]]:
        loop = asyncio.get_running_loop()
        why: StreamEnd | None = None
        while why is None or not subscription.drained:
            taken = await subscription.take(max(0.0, self._beats_at - loop.time()))
            beats = self._beats()
            self.silent = beats and not taken
            if self.silent:
                self.position = self._feed.head
            yield taken
            if beats and not await self._allowed():
                subscription.end(NOT_ALLOWED)
            why = subscription.ended
        self.ended = why

    def _beats(self) -> bool:
        """Once in a pulse."""
        now = asyncio.get_running_loop().time()
        if now < self._beats_at:
            return False
        self._beats_at = now + self._pulse
        return True
