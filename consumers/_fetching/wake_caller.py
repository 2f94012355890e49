"""Wakes sleeping agents of the agent's own kind, by messages to their wake queue that nobody waits for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import MessageTooLarge, OperatorError, Unavailable
from coordinator.protocol.messages.wake_call import WakeCall

from .fetch_policy import calls_to_make
from .fleet import Fleet

__all__ = ["WakeCaller"]

logger = logging.getLogger(__name__)

PAUSE = 0.25
"""Seconds between two times that an agent calls others by itself, and not because it was called: one that is
always at work need not tell of it each time that it looks."""

UNCONFIRMED = 20
"""Calls under way; beyond it none is made: a broker that is slow has no use for more."""


class WakeCaller:
    """Publishes calls in the background. One that is lost is made up for by the looks of those who sleep."""

    def __init__(
        self, publisher: PublishesMessages, fleet: Fleet, *, clock: Callable[[], float]
    ) -> None:
        """``clock`` is in seconds."""
        self._publisher = publisher
        self._fleet = fleet
        self._clock = clock
        self._called = float("-inf")
        self._under_way: set[asyncio.Task[None]] = set()

    def found_work(
        self, more: int | None, *, allowed: int | None, leaves: frozenset[str] = frozenset()
    ) -> bool:
        """This agent has begun to work: where ``more`` tasks wait than it can start, others are woken, within
        what whoever called it ``allowed``; None where it did not look. Where it ``leaves`` queues that it
        consumed, one is woken to consume them in its place. Whether it called now.
        """
        now = self._clock()
        shares = calls_to_make(more, allowed=allowed, leaves=bool(leaves))
        often = allowed is None and now - self._called < PAUSE
        if not shares or self._fleet.wake_queue is None or not self._fleet.proven or often:
            return False
        self._called = now
        for number, share in enumerate(shares):
            self.call(WakeCall(consumed=[] if number else sorted(leaves), more=share))
        return True

    def call(self, call: WakeCall) -> None:
        """Wake one agent, if one sleeps. Returns at once."""
        queue = self._fleet.wake_queue
        if queue is None or len(self._under_way) >= UNCONFIRMED:
            return
        task = asyncio.create_task(self._publish(call, queue))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _publish(self, call: WakeCall, queue: str) -> None:
        try:
            await self._publisher.publish(call.to_message(), exchange="", key=queue)
        except (MessageTooLarge, Unavailable) as exc:
            if isinstance(exc.__cause__, OperatorError):
                self._fleet.refused()
            logger.debug("nobody was woken", extra={"why": str(exc)})
