"""Learns how large a message the broker takes, and sends those that may be too large alone.

A message that is too large costs its channel, with the confirms of whatever is in flight on it. How
much the broker takes is its own secret until it refuses: so a message larger than any before is sent
on a channel of its own, and what was refused once is refused here from then on.
"""

from __future__ import annotations

import asyncio
from typing import Any

from coordinator.broker.channel import Channel, confirmed
from coordinator.broker.connection import Link
from coordinator.errors import BrokerUnavailable, CoordinatorError, MessageTooLarge, OutcomeUnknown

from .confirm_wait import retrieve_error, wait_until_settled
from .outgoing import Outgoing, put_on

__all__ = ["NOT_KEEPING_UP", "SURE_SIZE", "LargeMessages"]

SURE_SIZE = 16 * 1024
"""Bytes of body that are taken to be within any broker's limit."""

NOT_KEEPING_UP = "The broker is not keeping up; nothing was sent."


class LargeMessages:
    """Knows the broker's limit on the size of a message, as far as the link of the moment has shown it."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._aside: Channel | None = None
        self._alone = asyncio.Lock()
        """Of whoever sends the one message on it that is larger than all before."""
        self._taken = SURE_SIZE
        """Bytes of the largest message that the broker is known to take."""
        self._limit: int | None = None
        """Bytes of the largest that it takes, once it has said so."""

    @property
    def sure_size(self) -> int:
        """Bytes of body that may be sent without a thought: `SURE_SIZE`, or less where the broker has
        said that it takes less.
        """
        return min(SURE_SIZE, self._taken)

    def known_to_be_taken(self, size: int) -> bool:
        """Whether the broker is known to take a message of ``size`` bytes."""
        return size <= self._taken

    def begin(self, link: Link) -> None:
        """Forget what another link taught: it led to another node, or another configuration, perhaps."""
        if link is not self._link:
            self._link, self._aside, self._taken, self._limit = link, None, SURE_SIZE, None

    async def send(self, outgoing: Outgoing, deadline: float) -> asyncio.Future[Any] | None:
        """Send it on the channel aside, and wait for the answer; None where the broker has taken one as
        large meanwhile. Raises `BrokerUnavailable` or `MessageTooLarge` where nothing was sent.
        """
        size = len(outgoing.message.body)
        try:
            async with asyncio.timeout_at(deadline):
                await self._alone.acquire()
        except TimeoutError:
            raise BrokerUnavailable(NOT_KEEPING_UP) from None
        try:
            if self._limit is not None and size > self._limit:
                raise MessageTooLarge(size, self._limit)
            if self.known_to_be_taken(size):
                return None
            sent = put_on(await self._channel_aside(deadline), outgoing)
            sent.add_done_callback(retrieve_error)
            await wait_until_settled(sent, deadline)
            if sent.done():
                self._learn(sent, size)
            return sent
        finally:
            self._alone.release()

    def refused(self, exc: MessageTooLarge, size: int) -> MessageTooLarge | OutcomeUnknown:
        """Whether the message of ``size`` bytes was refused, or was in flight beside the one that was."""
        self._limit = self._taken = exc.limit
        if size > exc.limit:
            return MessageTooLarge(size, exc.limit)
        return OutcomeUnknown(
            "The broker closed the channel over another message, with this unanswered"
        )

    async def _channel_aside(self, deadline: float) -> Channel:
        link, channel = self._link, self._aside
        if channel is not None and channel.open:
            return channel
        if link is None:
            raise BrokerUnavailable
        try:
            async with asyncio.timeout_at(deadline):
                channel = await link.channel(confirms=True)
        except TimeoutError:
            raise BrokerUnavailable(NOT_KEEPING_UP) from None
        if link is self._link:
            self._aside = channel
        return channel

    def _learn(self, sent: asyncio.Future[Any], size: int) -> None:
        """How much the broker takes, from the answer to a message of ``size`` bytes."""
        try:
            confirmed(sent)
        except MessageTooLarge as exc:
            self._limit = self._taken = exc.limit
        except (CoordinatorError, asyncio.CancelledError):
            return  # told to whoever published
        else:
            self._taken = max(self._taken, size)
