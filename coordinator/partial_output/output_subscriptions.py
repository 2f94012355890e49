"""Lets any number of subscribers follow the partial output of tasks, each at its own pace.

    with output.subscribe(task_id) as items:   # from here on nothing is missed
        async for item in items: ...

A subscriber has a place in the tail that all share, and no queue of its own: one that is slow misses what the
tail does not keep any more, and is told so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from types import TracebackType
from typing import Self

from .output_checks import CheckedOutput
from .output_counts import NOT_COUNTED, CountsOutput
from .output_items import OutputItem
from .output_of_all import OutputOfAll
from .output_tail import OutputCursor
from .output_tails import OutputTails

__all__ = ["OutputSubscription", "PartialOutput"]


class OutputSubscription:
    """An async iterator over `OutputItem`, which goes on from run to run, and a context manager, whose end
    ends it. It never ends by itself: the task's end is an event.
    """

    def __init__(
        self, cursor: OutputCursor, *, on_close: Callable[[OutputSubscription], None]
    ) -> None:
        self.cursor = cursor
        self._on_close = on_close
        self._read: deque[OutputItem] = deque()
        self._more = asyncio.Event()
        self._closed = False
        self.on_more: Callable[[], None] = lambda: None
        """Called on the event loop whenever there may be more to read; it raises nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Whoever waits for the next item is told that there is none."""
        if not self._closed:
            self._closed = True
            self._on_close(self)
            self._more.set()

    def wake(self) -> None:
        """There may be more to read. Who waits in `over` has its turn behind what `on_more` begins: it looks
        at what was read.
        """
        self.on_more()
        self._more.set()

    async def over(self, within: float) -> None:
        """Wait until the run that is followed has ended, if there is one, for as many seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not (self._closed or self.cursor.over):
                    self._more.clear()
                    await self._more.wait()

    def at_hand(self) -> list[OutputItem]:
        """What can be told now, in order, some hundreds at most; none where nothing can."""
        items = [*self._read] or self.cursor.read()
        self._read.clear()
        return items

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> OutputItem:
        while not self._read:
            if self._closed:
                raise StopAsyncIteration
            self._more.clear()
            self._read.extend(self.cursor.read())
            if not self._read:
                await self._more.wait()
        return self._read.popleft()


class PartialOutput:
    """Holds the tails of this process, and who follows them. ``now`` is the service's clock, ``monotonic``
    one in seconds that is never set.
    """

    def __init__(
        self,
        *,
        tail_bytes: int,
        most_bytes: int,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        counts: CountsOutput = NOT_COUNTED,
    ) -> None:
        self.counts = counts
        self._now = now
        self._monotonic = monotonic
        self._subscriptions: dict[str, set[OutputSubscription]] = {}
        self._of_all: set[OutputOfAll] = set()
        self.tails = OutputTails(
            tail_bytes=tail_bytes, most_bytes=most_bytes, followed=self._subscriptions.keys()
        )
        self.heard_since: datetime | None = None
        """From when on all output was heard; None while none is. What a run said before is not known here."""

    def subscribe(self, task_id: str) -> OutputSubscription:
        """Follow the task, from what is kept of its current run on. Close it."""
        subscription = OutputSubscription(
            OutputCursor(self.tails.of(task_id)),
            on_close=lambda closed: self._unsubscribe(task_id, closed),
        )
        self._subscriptions.setdefault(task_id, set()).add(subscription)
        return subscription

    @contextmanager
    def follow_all(self, told: Callable[[str, Sequence[OutputItem]], None]) -> Iterator[None]:
        """While the block lasts, ``told`` is called as `OutputOfAll` says, with the id of a task and what it
        says from now on.
        """
        follower = OutputOfAll(self.tails, told)
        self._of_all.add(follower)
        try:
            yield
        finally:
            self._of_all.discard(follower)
            follower.close()

    @property
    def subscribers(self) -> int:
        """How many follow a task, or all, now."""
        return sum(map(len, self._subscriptions.values())) + len(self._of_all)

    def start_hearing(self) -> None:
        """From now on all output comes."""
        self.heard_since = self._now()

    def stop_hearing(self) -> None:
        """What is told from now on may be missed."""
        self.heard_since = None
        self.tails.doubt()
        for subscriptions in self._subscriptions.values():
            _wake(subscriptions)
        for one in self._of_all:
            one.doubt()

    def take(self, told: CheckedOutput) -> None:
        """Keep it, and wake who follows the task."""
        taken = self.tails.take(
            told.task_id,
            told.run,
            told.first,
            told.chunks,
            ended=told.ended,
            now=self._monotonic(),
        )
        if taken is None:
            return
        self.counts.heard(taken.new, gap=taken.gap)
        subscriptions = self._subscriptions.get(told.task_id)
        if subscriptions:
            self._begin(told.task_id, subscriptions)
            _wake(subscriptions)
        for one in self._of_all:
            one.heard(told.task_id)

    def forget(self) -> None:
        """Drop what is of no use any more."""
        self.tails.forget(self._monotonic())
        for one in self._of_all:
            one.forget()

    def _begin(self, task_id: str, subscriptions: set[OutputSubscription]) -> None:
        tail = self.tails.of(task_id)
        if tail is not None:
            for one in subscriptions:
                if one.cursor.waits_for_a_run:
                    one.cursor.follow(tail)

    def _unsubscribe(self, task_id: str, subscription: OutputSubscription) -> None:
        left = self._subscriptions[task_id]
        left.discard(subscription)
        if not left:
            del self._subscriptions[task_id]


def _wake(subscriptions: set[OutputSubscription]) -> None:
    for one in subscriptions:
        one.wake()
