"""Declares the ports of the broker that other packages are given: a publisher, and the depths of queues.
Tests give objects of their own instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from coordinator.protocol.message import Message

from .channel import Depth

__all__ = ["PublishesMessages", "ReadsQueueDepths"]


class PublishesMessages(Protocol):
    """Publishes one message and waits for the broker's confirm: `broker.publisher.Publisher`."""

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        """Return once the broker has confirmed. Raises `BrokerUnavailable` (`PublishRefused`, with
        ``mandatory``, where no queue takes it), `MessageTooLarge` or `OutcomeUnknown`.
        """


class ReadsQueueDepths(Protocol):
    """Asks the broker how many messages and consumers queues have: `broker.queue_depths.QueueDepths`."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]:
        """The depth of each queue by its name, None for one that does not exist. Raises
        `BrokerUnavailable`.
        """
