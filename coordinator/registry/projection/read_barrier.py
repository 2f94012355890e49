"""Waits until this process knows everything that was confirmed before, whoever published it.

    tasks ...... ledger.marked ─▶ coordinator.log ─▶ the active projector ─▶ ledger.caught-up ─▶ all
    agents ..... live.marked ─▶ live.<process>, behind what agents said

A mark is exact where a count is not: the projector has messages in hand that the broker no longer
counts. What was confirmed before the mark was sent is before it in the queue, and is known when the
mark comes out. Nothing is sent while nobody asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import LedgerBehind, OutcomeUnknown, Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, LedgerCaughtUp, LedgerMarked, LiveMarked
from coordinator.protocol.topology import EVENTS

__all__ = ["ReadBarrier"]

PATIENCE = timedelta(seconds=2)
"""How long a reader waits."""

SENT_AGAIN = 2.0
"""Seconds until a second mark is sent: what tells of the first may have been lost."""

MARK_LASTS = timedelta(seconds=30)
"""After which marks that did not come out are given up. Until then few are sent, so that a projector that
is down finds few in the log."""


class ReadBarrier:
    """Sends marks, and lets readers wait for them. `marked` and `caught_up` are told which came out, of this
    process or another.

    ``patience``: how long a reader waits. ``sent_again``: seconds after which another mark is sent beside
    one that did not come out, doubled each time.
    """

    def __init__(
        self,
        publisher: PublishesMessages,
        *,
        patience: timedelta = PATIENCE,
        sent_again: float = SENT_AGAIN,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        waits = _Waits(patience.total_seconds(), sent_again, monotonic)
        self._ledger = _Marks(publisher, LedgerMarked, waits)
        self._live = _Marks(publisher, LiveMarked, waits)
        self._telling: set[asyncio.Task[None]] = set()

    async def ledger(self) -> None:
        """Returns once the ledger has all that the broker had confirmed when this was called.

        Raises `LedgerBehind` where that takes longer than two seconds, or `BrokerUnavailable`.
        """
        await self._ledger.wait()

    async def live(self) -> None:
        """The same for what was said about agents, which needs no projector."""
        await self._live.wait()

    def marked(self, marks: Sequence[str]) -> None:
        """This process's projector has passed these marks."""
        others = [mark for mark in marks if not self._ledger.came_out(mark)]
        if others:
            telling = asyncio.create_task(self._tell_all(others))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    def caught_up(self, marks: Sequence[str]) -> None:
        """This process has heard that these came out."""
        for mark in marks:
            self._ledger.came_out(mark)
            self._live.came_out(mark)

    def start_hearing(self) -> None:
        """From now on this process hears the live exchange; what was told before may have been lost."""
        self._ledger.again()
        self._live.again()

    async def _tell_all(self, marks: list[str]) -> None:
        event = Event(data=LedgerCaughtUp(marks=marks))
        message = encode(event, persistent=False)
        try:
            await self._publisher.publish(message, exchange=EVENTS, key=routing_key(event.data))
        except Unavailable:
            return  # whoever waits is told that the ledger is behind


@dataclass(frozen=True, slots=True)
class _Waits:
    """Tells how long is waited for what, in seconds by ``monotonic``."""

    patience: float
    sent_again: float
    monotonic: Callable[[], float]


class _Marks:
    """Whoever asks while a mark is under way shares the next one, which begins after the question."""

    def __init__(
        self,
        publisher: PublishesMessages,
        kind: type[LedgerMarked | LiveMarked],
        waits: _Waits,
    ) -> None:
        self._publisher = publisher
        self._kind = kind
        self._waits = waits
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[None] | None = None
        self._under_way: dict[str, asyncio.Future[bool]] = {}
        self._sent_at: float | None = None

    async def wait(self) -> None:
        if self._next is None:
            self._next = asyncio.create_task(self._mark())
            self._next.add_done_callback(_seen)
        try:
            async with asyncio.timeout(self._waits.patience):
                await asyncio.shield(self._next)
        except TimeoutError:
            raise LedgerBehind(self._how_far()) from None

    def came_out(self, mark: str) -> bool:
        """Whether it is one of these."""
        waiting = self._under_way.get(mark)
        if waiting is None:
            return False
        if not waiting.done():
            waiting.set_result(True)
        return True

    def again(self) -> None:
        for waiting in self._under_way.values():
            if not waiting.done():
                waiting.set_result(False)

    async def _mark(self) -> None:
        async with self._one_at_a_time:
            self._next = None
            self._sent_at = self._waits.monotonic()
            try:
                async with asyncio.timeout(MARK_LASTS.total_seconds()):
                    while not await self._sent_came_out():
                        continue
            except (TimeoutError, OutcomeUnknown):
                raise LedgerBehind(self._how_far()) from None
            finally:
                self._sent_at = None

    async def _sent_came_out(self) -> bool:
        """Send a mark, and others while none comes out; False where it may have come out unheard."""
        came_out: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        sent: list[str] = []
        pause = self._waits.sent_again
        try:
            while not came_out.done():
                mark = Event(data=self._kind())
                self._under_way[mark.id] = came_out
                sent.append(mark.id)
                await self._send(mark)
                await asyncio.wait([came_out], timeout=pause)
                pause *= 2
            return came_out.result()
        finally:
            for mark_id in sent:
                del self._under_way[mark_id]

    async def _send(self, mark: Event) -> None:
        message = encode(mark, persistent=self._kind is LedgerMarked)
        await self._publisher.publish(message, exchange=EVENTS, key=routing_key(mark.data))

    def _how_far(self) -> str:
        waits, sent_at = self._waits, self._sent_at
        lag = waits.patience if sent_at is None else waits.monotonic() - sent_at
        return (
            f"What is known here is {lag:.1f} s or more behind what was accepted, so it cannot be"
            " told yet whether there is such a thing: ask again shortly"
        )


def _seen(mark: asyncio.Task[None]) -> None:
    if not mark.cancelled():
        mark.exception()  # told to whoever waits; nobody may be left
