"""Opens the wake queues of the agents that register, one for each kind of agents."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from coordinator.broker.channel import Channel
from coordinator.broker.connection import Link
from coordinator.errors import BrokerUnavailable, OperatorError
from coordinator.protocol.topology import UNUSED_FOR, Topology, wake_queue_spec

__all__ = ["WakeQueueOpener"]

logger = logging.getLogger(__name__)

REMEMBERED = 10_000
"""Wake queues that are counted at most."""


class WakeQueueOpener:
    """Declares them over the link of the moment, each time anew: somebody may have deleted it, or nobody
    consumed it for so long that it is gone. Agents do without where that fails.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._one_at_a_time = asyncio.Lock()
        self._opened: OrderedDict[str, datetime] = OrderedDict()
        self._told: str | None = None

    def use(self, link: Link) -> None:
        """Open over this link from now on."""
        self._link, self._channel = link, None

    async def open(self, name: str) -> str | None:
        """The name, once the queue is there; None where it cannot be opened now."""
        async with self._one_at_a_time:
            try:
                await (await self._own_channel()).declare(Topology(queues=(wake_queue_spec(name),)))
            except (BrokerUnavailable, OperatorError) as exc:
                if str(exc) != self._told:
                    logger.warning("agents have no wake queue for now: %s", exc)
                self._told = str(exc)
                return None
        self._opened[name] = self._now()
        self._opened.move_to_end(name)
        return name

    @property
    def count(self) -> int:
        """How many were opened here and may still be in use, at least 1."""
        oldest = self._now() - timedelta(milliseconds=UNUSED_FOR)
        while self._opened and (
            len(self._opened) > REMEMBERED or next(iter(self._opened.values())) < oldest
        ):
            self._opened.popitem(last=False)
        return max(1, len(self._opened))

    async def _own_channel(self) -> Channel:
        if self._link is None:
            raise BrokerUnavailable
        if self._channel is None or not self._channel.open:
            self._channel = await self._link.channel()
        return self._channel
