"""Asks the process that folds the log to tell this one when the ledger has grown.

streaming ─▶ ledger.followed ─▶ live.<process> of every coordinator ─▶ `GrowthBroadcast`
"""

from __future__ import annotations

import contextlib

from coordinator.broker.ports import PublishesMessages
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, LedgerFollowed
from coordinator.protocol.topology import EVENTS

__all__ = ["FollowRequest"]


class FollowRequest:
    """Publishes that this ``process`` has subscribers of events."""

    def __init__(self, publisher: PublishesMessages, *, process: str) -> None:
        self._publisher = publisher
        self._process = process

    async def send(self) -> None:
        """Good for `growth_broadcast.FOLLOWED_FOR`; where the broker does not take it, it is lost."""
        event = Event(data=LedgerFollowed(process=self._process))
        message = encode(event, persistent=False)
        with contextlib.suppress(Unavailable):
            await self._publisher.publish(message, exchange=EVENTS, key=routing_key(event.data))
