"""Refuses submissions while too many tasks, or bytes of them, wait on the queues.

    every two seconds: all queues are looked at ─▶ waiting then + admitted here since ─▶ within the limits?

That has to be well before an alarm of the broker, under which agents cannot confirm what they did and
what waits could not drain. No submission asks the broker, so the figures are approximate: between two
looks nothing is known of what agents took, nor of what other coordinators admitted. And the broker
does not tell sizes: they are taken to be like those of what was admitted here lately.

What was accepted before is never held back: retries, scheduled tasks that are due, redrives.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.broker.ports import ReadsQueueDepths
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import ChannelLost, OperatorError, QueuesFull, Unavailable

__all__ = ["AdmissionControl", "AdmissionLimits"]

logger = logging.getLogger(__name__)

LOOK = timedelta(seconds=2)
"""Between two looks; more where there are so many queues that one takes long."""

SHARE = 20
"""The part of the time that looking may take: one in so many."""

MEMORY = 1000
"""The mean size is over about so many tasks, the latest counting most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """Limits what may wait on all queues together; 0 is no limit."""

    tasks: int = 0
    """Tasks that wait."""
    size: int = 0
    """Bytes of their messages."""


class AdmissionControl:
    """Counts what waits ``every`` so often, and admits tasks by that. Run `session` with `Connection.keep`;
    until its first look everything is admitted.
    """

    def __init__(
        self,
        *,
        book: TaskQueues,
        depths: ReadsQueueDepths,
        most: AdmissionLimits,
        every: timedelta = LOOK,
    ) -> None:
        self._book = book
        self._depths = depths
        self._most = most
        self._every = every.total_seconds()
        self._waiting = 0
        self._since = 0
        self._mean = 0.0
        self._sized = 0
        self.depths_seen: Mapping[str, Depth | None] | None = None
        """Of each queue at the latest look; None where there was none over this link."""
        self.problem: str | None = None
        """Why nothing is accepted at this moment; None while something is."""

    def admit(self, size: int) -> None:
        """Let a task in whose message has ``size`` bytes. Raises `QueuesFull`."""
        why_not = self._why_not(size)
        if why_not is not None:
            self._tell(why_not)
            raise QueuesFull(f"{why_not} Nothing was sent.")
        self._since += 1
        self._sized = min(self._sized + 1, MEMORY)
        self._mean += (size - self._mean) / self._sized

    async def session(self, link: Link) -> NoReturn:
        """Counts until the link is closed. Raises `ChannelLost` then."""
        if not (self._most.tasks or self._most.size):
            await link.closed()
        try:
            await self._look_again_and_again(link)
        finally:
            self.depths_seen = None
        raise ChannelLost

    async def _look_again_and_again(self, link: Link) -> None:
        loop = asyncio.get_running_loop()
        while link.open:
            began = loop.time()
            try:
                await self.look()
            except (Unavailable, OperatorError) as exc:
                self.depths_seen = None
                logger.info("how much waits is not known now", extra={"why": str(exc)})
            await asyncio.sleep(max(self._every, SHARE * (loop.time() - began)))

    async def look(self) -> None:
        """Count what waits. Raises `BrokerUnavailable`."""
        before = self._since
        depths = await self._depths.look(task_queue.queue for task_queue in self._book.sources())
        self._waiting = sum(depth.ready for depth in depths.values() if depth is not None)
        self.depths_seen = depths
        self._since -= before
        self._tell(self._why_not(round(self._mean)))

    def _why_not(self, size: int) -> str | None:
        count = self._waiting + self._since
        if self._most.tasks and count >= self._most.tasks:
            return (
                f"About {count} tasks wait, and COORDINATOR_MAX_QUEUED_TASKS allows"
                f" {self._most.tasks}: try again when agents have done some."
            )
        total = round(count * self._mean) + size
        if self._most.size and count and total > self._most.size:
            return (
                f"The tasks that wait have about {total} bytes, and COORDINATOR_MAX_QUEUED_BYTES"
                f" allows {self._most.size}: try again when agents have done some."
            )
        return None

    def _tell(self, why_not: str | None) -> None:
        if why_not is not None and self.problem is None:
            logger.warning("no task is accepted now: %s", why_not)
        elif why_not is None and self.problem is not None:
            logger.info("tasks are accepted again")
        self.problem = why_not
