"""Publishes an agent's whole state every few seconds, and soon after something changed."""

from __future__ import annotations

import asyncio
import logging
import math
import random
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from coordinator.broker.publisher import Publisher
from coordinator.errors import MessageTooLarge, Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.protocol.topology import EVENTS

from ..agent_timings import DEFAULT_TIMINGS, AgentTimings

__all__ = ["Heartbeat"]

logger = logging.getLogger(__name__)

SHARES = 3
"""After each such share of the interval it is asked whether the agent became busy or free."""


class Heartbeat:
    """Sends heartbeats. ``state`` is called for each of them; ``busy`` now and then, to see whether no slot
    is free.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        state: Callable[[], AgentHeartbeat],
        busy: Callable[[], bool],
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._publisher = publisher
        self._state = state
        self._busy = busy
        self._spacing = timings.heartbeat_spacing.total_seconds()
        self._rng = rng or random.Random()
        self._soon = asyncio.Event()
        self._told_busy = False
        self.made_at = -math.inf
        """When, by the loop's clock, the last beat was made."""
        self.interval = timedelta(seconds=10)
        """Between two heartbeats where nothing changes; as the coordinator says."""

    def beat_soon(self) -> None:
        """Something changed that others should see before the next regular beat."""
        self._soon.set()

    async def run(self) -> NoReturn:
        """Beat until cancelled, whenever there is a connection."""
        await self._changed_within(self._spacing)  # the first one tells of an agent that is ready
        while True:
            self._soon.clear()
            await self._publisher.ready()
            await self.beat()
            await asyncio.sleep(self._spacing)
            share = self.interval.total_seconds() * self._rng.uniform(0.8, 1.0) / SHARES
            for _ in range(SHARES):
                await self._changed_within(share)
                if self._soon.is_set() or self._told_busy != self._busy():
                    break

    async def _changed_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._soon.wait()
        except TimeoutError:
            return

    async def beat(self) -> None:
        """One beat, now; a beat that cannot be sent is not worth keeping."""
        self._told_busy = self._busy()
        self.made_at = asyncio.get_running_loop().time()
        event = Event(data=self._state())
        try:
            await self._publisher.publish(
                encode(event, persistent=False), exchange=EVENTS, key=routing_key(event.data)
            )
        except (MessageTooLarge, Unavailable) as exc:
            logger.debug("a heartbeat was not sent", extra={"why": str(exc)})
