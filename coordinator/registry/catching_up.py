"""Waits until the ledger has everything that the log has now, whoever put it there and whoever folds.

    asks ─▶ ledger.marked ─▶ coordinator.log ─▶ the active projector ─▶ ledger.caught-up ─▶ everyone

A mark is exact where a count is not: the projector has messages in hand that the broker no longer
counts. What was confirmed before the mark was sent is before it in the log, and in the ledger when
the mark comes out of the projector. Nothing is sent while nobody asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

from coordinator.errors import LedgerBehind, OutcomeUnknown, Unavailable
from coordinator.protocol.codec import encode, routing_key
from coordinator.protocol.events import Event, EventData, LedgerCaughtUp, LedgerMarked
from coordinator.protocol.topology import EVENTS

from .commands import Publishes

__all__ = ["CatchingUp"]

PATIENCE = timedelta(seconds=2)
"""How long a reader waits for the ledger."""

MARK_LASTS = timedelta(seconds=30)
"""After which a mark that did not come out is given up: what tells of it may have been lost. Until
then no other is sent, so that a projector that is down finds few marks in the log."""


class CatchingUp:
    """Whoever asks while a mark is under way shares the next one, which begins after the question."""

    def __init__(
        self,
        publisher: Publishes,
        *,
        patience: timedelta = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._patience = patience.total_seconds()
        self._monotonic = monotonic
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._under_way: dict[str, asyncio.Future[None]] = {}
        self._sent_at: float | None = None
        self._telling: set[asyncio.Task[None]] = set()

    async def wait(self) -> None:
        """Returns once the ledger has all that the broker had confirmed when this was called.

        Raises `LedgerBehind` where that takes longer than two seconds, or `BrokerUnavailable`.
        """
        if self._next is None:
            self._next = asyncio.create_task(self._mark())
            self._next.add_done_callback(_seen)
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.shield(self._next)
        except TimeoutError:
            raise LedgerBehind(self._how_far()) from None

    def marked(self, marks: Sequence[str]) -> None:
        """This process's projector has passed these marks."""
        others = [mark for mark in marks if not self._came_out(mark)]
        if others:
            telling = asyncio.create_task(self._tell_others(others))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    def caught_up(self, marks: Sequence[str]) -> None:
        """The projector of some process has passed these marks."""
        for mark in marks:
            self._came_out(mark)

    async def _mark(self) -> None:
        async with self._one_at_a_time:
            self._next = None
            mark = Event(data=LedgerMarked())
            came_out = asyncio.get_running_loop().create_future()
            self._under_way[mark.id] = came_out
            self._sent_at = self._monotonic()
            try:
                async with asyncio.timeout(MARK_LASTS.total_seconds()):
                    await self._publish(mark)
                    await came_out
            except (TimeoutError, OutcomeUnknown):
                raise LedgerBehind(self._how_far()) from None
            finally:
                del self._under_way[mark.id]
                self._sent_at = None

    def _came_out(self, mark: str) -> bool:
        """Whether it is a mark of this process."""
        waiting = self._under_way.get(mark)
        if waiting is None:
            return False
        if not waiting.done():
            waiting.set_result(None)
        return True

    async def _tell_others(self, marks: list[str]) -> None:
        try:
            await self._publish(Event(data=LedgerCaughtUp(marks=marks)), persistent=False)
        except Unavailable:
            return  # whoever waits is told that the ledger is behind

    async def _publish(self, event: Event, *, persistent: bool = True) -> None:
        data: EventData = event.data
        message = encode(event, persistent=persistent)
        await self._publisher.publish(message, exchange=EVENTS, key=routing_key(data))

    def _how_far(self) -> str:
        lag = self._patience if self._sent_at is None else self._monotonic() - self._sent_at
        return (
            f"The ledger is {lag:.1f} s or more behind what was accepted, so it is not known whether"
            " there is such a thing: ask again shortly"
        )


def _seen(mark: asyncio.Task[None]) -> None:
    if not mark.cancelled():
        mark.exception()  # told to whoever waits; nobody may be left
