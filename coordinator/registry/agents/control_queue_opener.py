"""Declares the control queues of agents, which may declare nothing themselves, and binds them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from coordinator.broker.channel import Channel
from coordinator.broker.connection import Link
from coordinator.errors import BrokerUnavailable, OperatorError, QueueLocked
from coordinator.protocol.messages.agent_commands import EVERY_AGENT, word_key
from coordinator.protocol.topology import control_queue_topology

__all__ = ["MOST_OF_ONE", "ControlQueueOpener"]

logger = logging.getLogger(__name__)

MOST_OF_ONE = 8
"""Control queues that one agent may have from one coordinator: each process has one for each time that it
connects, and the one before is gone with its consumer. Beyond it the one that was named the longest ago is
deleted, so that an agent that asks again and again has no more."""

REMEMBERED = 10_000
"""Agents; of one that was forgotten the queues go once nobody consumes them."""


class ControlQueueOpener:
    """Opens over the link of the moment. What exists already stays as it is, and is bound again."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._channel: Channel | None = None
        self._one_at_a_time = asyncio.Lock()
        self._opened: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()
        self._told: str | None = None

    def use(self, link: Link) -> None:
        """Open over this link from now on."""
        self._link, self._channel = link, None

    async def open(self, word: str, queue: str) -> bool:
        """Whether ``queue``, of the agent that is called ``word`` on the broker, is there and bound."""
        topology = control_queue_topology(queue, keys=(word_key(word), EVERY_AGENT))
        async with self._one_at_a_time:
            try:
                await (await self._own_channel()).declare(topology)
            except QueueLocked:
                return True  # the agent has declared it itself
            except (BrokerUnavailable, OperatorError) as exc:
                if str(exc) != self._told:
                    logger.warning("an agent has no control queue for now: %s", exc)
                self._told = str(exc)
                return False
            await self._keep_to_the_limit(word, queue)
        return True

    async def _keep_to_the_limit(self, word: str, queue: str) -> None:
        of_agent = self._opened.setdefault(word, OrderedDict())
        of_agent[queue] = None
        of_agent.move_to_end(queue)
        self._opened.move_to_end(word)
        if len(self._opened) > REMEMBERED:
            self._opened.popitem(last=False)
        while len(of_agent) > MOST_OF_ONE:
            oldest, _ = of_agent.popitem(last=False)
            try:
                await (await self._own_channel()).delete_queue(oldest)
            except (BrokerUnavailable, OperatorError) as exc:
                logger.debug("a control queue was left to end", extra={"why": str(exc)})

    async def _own_channel(self) -> Channel:
        if self._link is None:
            raise BrokerUnavailable
        if self._channel is None or not self._channel.open:
            self._channel = await self._link.channel()
        return self._channel
