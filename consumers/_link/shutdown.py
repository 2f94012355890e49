"""Winds an agent down: finishes what runs, publishes its outcomes, says goodbye.

What runs may take as long as it likes, but not for waiting: a handler that has no answer from a coordinator,
or from people, for a while gives its task back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from coordinator.broker.publisher import Publisher
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import AgentStopped, Event
from coordinator.protocol.topology import EVENTS

from .._working.attempt import Attempt
from .._working.event_publisher import EventPublisher
from .._working.task_executor import TaskExecutor

__all__ = ["Shutdown"]

logger = logging.getLogger(__name__)


class Shutdown:
    """Stops in the reverse order of the start. ``failed`` says whether a part has ended without which
    nothing can be told any more; ``flush_timeout`` bounds each wait for others.
    """

    def __init__(
        self,
        executor: TaskExecutor,
        event_publisher: EventPublisher[Attempt],
        publisher: Publisher,
        *,
        failed: Callable[[], bool],
        flush_timeout: timedelta,
    ) -> None:
        self._executor = executor
        self._event_publisher = event_publisher
        self._publisher = publisher
        self._failed = failed
        self._patience = flush_timeout
        self._flush_timeout = flush_timeout.total_seconds()

    async def wind_down(
        self, goodbye: AgentStopped, *, fetching: asyncio.Task[None] | None
    ) -> None:
        """Return when nothing runs and ``goodbye`` is said, or cannot be. ``fetching`` is the fetch loop,
        which was told to stop.
        """
        loop = asyncio.get_running_loop()
        began = loop.time()
        if fetching is not None:
            await asyncio.wait([fetching], timeout=self._flush_timeout)
        while not await self._finished():
            if loop.time() - began > self._flush_timeout:
                self._executor.running.give_up_waiting(self._patience)
        if not self._failed():
            await self._say(goodbye)

    async def _finished(self) -> bool:
        """Whether what runs has finished, and its outcomes are confirmed or late; a second is waited for
        that.
        """
        # Also what a broker that hung pushes late.
        self._executor.backlog.give_back_surplus(all_of_it=True)
        try:
            async with asyncio.timeout(1.0):
                while not (self._executor.idle or self._failed()):
                    self._executor.changed.clear()
                    await self._executor.changed.wait()
        except TimeoutError:
            return self._executor.nothing_runs
        return True

    async def _say(self, goodbye: AgentStopped) -> None:
        try:
            async with asyncio.timeout(self._flush_timeout):
                await self._event_publisher.emptied()
                await self._executor.receipts.sent()
                event = Event(data=goodbye)
                await self._publisher.publish(
                    encode(event), exchange=EVENTS, key=routing_key(event.data)
                )
        except (TimeoutError, Unavailable) as exc:
            logger.warning("stopped without a word to the broker", extra={"why": str(exc)})
