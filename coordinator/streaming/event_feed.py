"""Reads the ledger after each wake-up, once for all subscribers of this process, and gives them what is new.

    nudge: another process has folded ────────────────────────┐
    a look of its own, now and then, since hints may be lost ─┴─▶ one query ─┬─▶ subscribers
    folded: this process has, and here it is ────────────────────────────────┘

While nobody subscribes, nothing is read and nobody is asked to tell.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from typing import NoReturn, Protocol, TypeVar

from coordinator.errors import LedgerUnavailable, StreamRefused
from coordinator.registry.feed.folded_page import FoldedPage
from coordinator.registry.feed.recorded_events import RecordedPage

from .event_filter import EventFilter
from .feed_pace import USUAL, FeedPace
from .folded_pages import FoldedPages
from .recent_events import RecentEvents
from .stream_frames import STOPPING
from .streamed_event import MissingEvents, StreamedEvent
from .subscriber_index import SubscriberIndex
from .subscription import Renders, Subscription

__all__ = ["EventFeed", "ReadsRecordedEvents"]

T = TypeVar("T")


class ReadsRecordedEvents(Protocol):
    """Reads the ledger: `registry.feed.recorded_events.RecordedEvents`. All raise `LedgerUnavailable`."""

    async def after(
        self,
        position: int,
        *,
        limit: int,
        task_ids: Collection[str] = (),
        types: Collection[str] = (),
    ) -> RecordedPage:
        """The first events after ``position``, of these tasks or types where any are named."""
        ...

    async def end(self) -> RecordedPage:
        """Where the ledger ends now."""
        ...

    async def state_of(self, task_id: str) -> tuple[str | None, int]:
        """The state of this task, and where the ledger ends, at one moment."""
        ...


class EventFeed:
    """Knows the subscribers of this process. Have it `run` and `keep_following` for as long as that lives.

    ``follow`` asks the process that folds the log to tell this one when the ledger grows, see
    `registry.feed.follow_request`; it is called at once and again while there are subscribers, and raises
    nothing. ``most``: streams at a time. ``cut``: see `Subscription`.
    """

    def __init__(
        self,
        events: ReadsRecordedEvents,
        *,
        follow: Callable[[], Awaitable[None]],
        most: int,
        pace: FeedPace = USUAL,
        cut: Callable[[], None] = lambda: None,
    ) -> None:
        self._events = events
        self._follow = follow
        self._most = most
        self._pace = pace
        self._cut = cut
        self._recent = RecentEvents()
        self._folded = FoldedPages()
        self._index = SubscriberIndex()
        self._used = asyncio.Event()
        self._hint = asyncio.Event()
        self._read = asyncio.Event()
        """Set, and replaced, with each round."""
        self._replaying = asyncio.Semaphore(pace.replays)
        self.stopped = False
        """All streams end."""
        self.streams = 0
        """Open at this moment."""

    @property
    def head(self) -> int:
        """The position up to which every subscription was given what it wants."""
        return self._recent.head

    def nudge(self) -> None:
        """The ledger may have grown."""
        self._hint.set()

    def folded(self, page: Callable[[], FoldedPage | None]) -> None:
        """The ledger has grown by what this process has folded. ``page`` makes that page; it is called while
        there are streams, and None means that it is to be read.
        """
        if self._used.is_set() and (made := page()) is not None:
            self._folded.put(made)
        self.nudge()

    def stop(self) -> None:
        """End all streams; no other is opened."""
        self.stopped = True
        self._index.end_all(STOPPING)
        self._read.set()

    # --- for streams ----------------------------------------------------------------------------

    async def open(self, after: int | None) -> RecordedPage:
        """A stream begins, after this position or from now on; where the ledger ends at this moment. Raises
        `StreamRefused`, or `LedgerUnavailable`. Each is followed by one `close`, unless it raises.
        """
        if self.stopped:
            raise StreamRefused("This process stops: try again, and another will answer")
        if self.streams >= self._most:
            raise StreamRefused
        self.streams += 1
        try:
            end = await self._events.end()
        except BaseException:
            self.close()
            raise
        if not self._used.is_set():
            self._begin(end, after)
        return end

    def close(self) -> None:
        """A stream has ended."""
        self.streams -= 1
        if not self.streams:
            self._used.clear()
            self._folded.clear()
            self._recent.begin(self.head)

    def join(
        self, wanted: EventFilter, render: Renders[T], position: int
    ) -> tuple[Sequence[T], Subscription[T]] | None:
        """What follows ``position`` and matches, and a subscription to all that comes after that. None where
        not all of it is here: it is to be read from the ledger, with `replay`, or `reached` soon.
        """
        if not self._recent.covers(position):
            return None
        missed = [one for one in self._recent.after(position) if wanted.matches(one.recorded)]
        subscription: Subscription[T] = Subscription(cut=self._cut)
        if self.stopped:
            subscription.end(STOPPING)
        self._index.add(wanted, render, subscription)
        return render(missed), subscription

    def leave(self, wanted: EventFilter, render: Renders[T], subscription: Subscription[T]) -> None:
        """End what `join` began."""
        self._index.discard(wanted, render, subscription)

    async def replay(self, wanted: EventFilter, position: int) -> RecordedPage:
        """A page of what is after ``position``: it may have events that do not match. Raises
        `LedgerUnavailable`.
        """
        async with self._replaying:
            return await self._events.after(
                position,
                limit=self._pace.page,
                task_ids=wanted.task_ids,
                types=wanted.types,
            )

    async def reached(self, position: int) -> bool:
        """Wait until `head` is there; False where the feed stops first."""
        while self.head < position and not self.stopped:
            read = self._read
            self.nudge()
            await read.wait()
        return not self.stopped

    async def settled_state(self, task_id: str) -> str | None:
        """The state of this task after all that subscriptions were given so far: they have its events up to
        that. None for a task that the ledger does not have. Raises `LedgerUnavailable`.
        """
        state, end = await self._events.state_of(task_id)
        return state if await self.reached(end) else None

    # --- the loop -------------------------------------------------------------------------------

    async def run(self) -> NoReturn:
        """Look, and give subscribers what is new; ends only by cancellation."""
        while True:
            await self._used.wait()
            self._hint.clear()
            pause = await self._look()
            if pause:
                await asyncio.sleep(pause)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.looks_every):
                    await self._hint.wait()

    async def keep_following(self) -> NoReturn:
        """Ask to be told while there are subscribers; ends only by cancellation."""
        while True:
            await self._used.wait()
            await self._follow()
            await asyncio.sleep(self._pace.follows_every)

    def _begin(self, end: RecordedPage, after: int | None) -> None:
        position = end.end
        if after is not None:
            position = min(end.end, max(after, end.end - self._pace.warm, end.forgotten_to))
        self._recent.begin(position)
        self._used.set()
        self.nudge()

    async def _look(self) -> float:
        """Take what is new; for how many seconds subscribers have had their share."""
        before = self._recent.base, self.head
        try:
            page = await self._next()
        except LedgerUnavailable:  # which is told elsewhere
            return 0.0
        if before != (self._recent.base, self.head):
            self.nudge()
            return 0.0  # all were gone meanwhile, and others have come
        events = [StreamedEvent(one) for one in page.events]
        missing = page.forgotten_to > self.head
        if missing:
            self._index.deliver_to_all(MissingEvents(after=self.head, until=page.forgotten_to))
        delivered, compared = self._index.deliver(events)
        self._recent.add(events, page.reached)
        if missing:
            self._recent.drop_to(page.forgotten_to)
        if page.reached < page.end:
            self.nudge()
        read, self._read = self._read, asyncio.Event()
        read.set()
        shares = delivered * self._pace.per_delivery + compared * self._pace.per_comparison
        return max(shares, self._pace.per_round) if events else shares

    async def _next(self) -> RecordedPage:
        """What is after `head`. Raises `LedgerUnavailable`."""
        page = self._folded.take(self.head, limit=self._pace.page)
        if page is not None:
            return page
        return await self._events.after(self.head, limit=self._pace.page)
