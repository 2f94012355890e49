"""Acknowledges, returns or rejects delivered messages, in order and on the channel that delivered them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any
from weakref import WeakKeyDictionary

from coordinator.broker.channel import Channel, Delivery
from coordinator.errors import BrokerUnavailable

from .delivery_tags import DeliveryTags

__all__ = ["MessageAcknowledger"]

logger = logging.getLogger(__name__)


class MessageAcknowledger:
    """Keeps what was delivered and not settled yet, over all channels.

    Nothing here waits for the broker: frames leave in order, and where a channel is lost, the broker
    has taken its messages back already.
    """

    def __init__(self) -> None:
        self._unsettled: WeakKeyDictionary[Channel, DeliveryTags] = WeakKeyDictionary()
        self._one_at_a_time = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()

    def hold(self, delivery: Delivery) -> None:
        """It is in hand from now on; each delivery is held once, and settled once."""
        unsettled = self._unsettled.get(delivery.channel)
        if unsettled is None:
            unsettled = self._unsettled[delivery.channel] = DeliveryTags()
        unsettled.hold(delivery.tag)

    def held_on(self, channel: Channel) -> int:
        """Messages of ``channel`` that are in hand."""
        unsettled = self._unsettled.get(channel)
        return 0 if unsettled is None else len(unsettled)

    def acknowledge(self, deliveries: Iterable[Delivery]) -> None:
        """The broker drops them."""
        by_channel: dict[Channel, list[int]] = {}
        for delivery in deliveries:
            by_channel.setdefault(delivery.channel, []).append(delivery.tag)
        for channel, tags in by_channel.items():
            self._send(self._acknowledge(channel, tags))

    def give_back(self, delivery: Delivery) -> None:
        """The broker puts it back in its place of the queue."""
        self._send(self._give_back(delivery))

    def reject(self, delivery: Delivery) -> None:
        """The broker dead-letters it."""
        self._send(self._reject(delivery))

    async def sent(self) -> None:
        """Wait until every frame so far has been written."""
        while self._sending:
            await asyncio.wait(self._sending)

    async def _acknowledge(self, channel: Channel, tags: list[int]) -> None:
        acks = self._unsettled[channel].finish(tags)
        if acks.up_to is not None:
            await channel.ack(acks.up_to, multiple=True)
        for tag in acks.single:
            await channel.ack(tag)

    async def _give_back(self, delivery: Delivery) -> None:
        if self._unsettled[delivery.channel].drop(delivery.tag):
            await delivery.give_back()

    async def _reject(self, delivery: Delivery) -> None:
        if self._unsettled[delivery.channel].drop(delivery.tag):
            await delivery.reject()

    def _send(self, frames: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._in_turn(frames))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _in_turn(self, frames: Coroutine[Any, Any, None]) -> None:
        async with self._one_at_a_time:
            try:
                await frames
            except BrokerUnavailable as exc:
                logger.debug("not settled: the broker delivers it again", extra={"why": str(exc)})
