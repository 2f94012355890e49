"""A user of the broker who publishes by hand: any exchange, key, properties and body."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiormq
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelPreconditionFailed
from pamqp.commands import Basic

from coordinator.protocol.ids import new_id
from coordinator.protocol.topology import EVENTS

__all__ = ["Letter", "Publishing", "event", "publishing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A message as it is sent. ``user_id``: None for the sender's own, "" for none at all."""

    key: str
    body: Any
    exchange: str = EVENTS
    type: str | None = None
    content_type: str = "application/json"
    headers: Mapping[str, Any] = field(default_factory=dict)
    user_id: str | None = None
    reply_to: str | None = None


def event(kind: str, author: str, **data: Any) -> Letter:
    """As an agent tells it, with the key of ``author``."""
    noun, what = kind.split(".")
    return Letter(key=f"{noun}.{author}.{what}", body=data, type=kind)


class Publishing:
    """``name`` is the user's."""

    def __init__(self, connection: aiormq.abc.AbstractConnection, name: str) -> None:
        self.name = name
        self._connection = connection
        self._channel: AbstractChannel | None = None

    async def send(self, letter: Letter) -> bool:
        """Whether the broker took it."""
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._connection.channel(publisher_confirms=True)
        user = self.name if letter.user_id is None else letter.user_id
        try:
            await self._channel.basic_publish(
                json.dumps(letter.body).encode(),
                exchange=letter.exchange,
                routing_key=letter.key,
                properties=Basic.Properties(
                    content_type=letter.content_type,
                    delivery_mode=2,
                    headers=dict(letter.headers),
                    message_id=new_id(),
                    message_type=letter.type,
                    user_id=user or None,
                    reply_to=letter.reply_to,
                    correlation_id=new_id(),
                ),
            )
        except ChannelPreconditionFailed:
            return False
        return True


@asynccontextmanager
async def publishing(url: str, name: str) -> AsyncIterator[Publishing]:
    connection = await aiormq.connect(url)
    try:
        yield Publishing(connection, name)
    finally:
        await connection.close()
