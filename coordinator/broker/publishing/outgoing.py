"""A message on its way to an exchange."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from coordinator.broker.channel import Channel
from coordinator.protocol.message import Message

__all__ = ["Outgoing", "put_on"]


class Outgoing(NamedTuple):
    """A message and where it goes."""

    message: Message
    exchange: str
    key: str
    mandatory: bool = False


def put_on(channel: Channel, outgoing: Outgoing) -> asyncio.Future[Any]:
    """Send it on ``channel``; what is returned is the broker's confirm."""
    message, exchange, key, mandatory = outgoing
    return channel.send(message, exchange=exchange, key=key, mandatory=mandatory)
