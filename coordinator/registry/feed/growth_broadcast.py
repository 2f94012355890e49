"""Tells coordinator processes that follow the ledger when it has grown.

    projector ─▶ ledger.grew ─▶ live.<process> of every coordinator ─▶ `streaming.event_feed`

While no process follows (`follow_request`), nothing is told. What is told is a hint, neither stored nor
promised: who follows reads the ledger, and looks by itself now and then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, LedgerGrew
from coordinator.protocol.topology import EVENTS

__all__ = ["FOLLOWED_FOR", "GrowthBroadcast"]

FOLLOWED_FOR = 30.0
"""Seconds after which a process that has not asked again does not follow any more."""


class GrowthBroadcast:
    """Publishes one message at a time, for all that was folded meanwhile. Its user is never held up, whatever
    the broker does.

    ``process`` is this one, which needs no message.
    """

    def __init__(
        self,
        publisher: PublishesMessages,
        *,
        process: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher = publisher
        self._process = process
        self._monotonic = monotonic
        self._followed_until = 0.0
        self._untold = False
        self._telling: asyncio.Task[None] | None = None

    def followed(self, process: str) -> None:
        """This process has heard that ``process`` follows the ledger."""
        if process != self._process:
            self._followed_until = self._monotonic() + FOLLOWED_FOR

    def folded(self, events: Sequence[Event]) -> None:
        """This process has committed these."""
        if not events or self._monotonic() >= self._followed_until:
            return
        self._untold = True
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell())

    async def told(self) -> None:
        """Wait until nothing is under way."""
        if self._telling is not None:
            await asyncio.wait([self._telling])

    async def _tell(self) -> None:
        while self._untold:
            self._untold = False
            event = Event(data=LedgerGrew())
            try:
                await self._publisher.publish(
                    encode(event, persistent=False), exchange=EVENTS, key=routing_key(event.data)
                )
            except Unavailable:
                return  # who follows looks by itself
