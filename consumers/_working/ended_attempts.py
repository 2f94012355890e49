"""Holds the attempts whose outcome is published, until their messages are acknowledged."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from coordinator.broker.channel import Delivery

from .attempt import Attempt, Fence
from .message_acknowledger import MessageAcknowledger

__all__ = ["EndedAttempts"]

REMEMBERED = 1000
"""Attempts that ended while their message could not be acknowledged any more."""


class EndedAttempts:
    """Acknowledges messages through ``receipts`` once the outcome is confirmed. Where the connection is
    lost by then, the same message is acknowledged when it is delivered again.
    """

    def __init__(self, receipts: MessageAcknowledger) -> None:
        self._receipts = receipts
        self._unconfirmed: dict[Fence, Attempt] = {}
        self._unacknowledged: OrderedDict[Fence, None] = OrderedDict()

    def __len__(self) -> int:
        """Attempts whose outcome is not confirmed yet."""
        return len(self._unconfirmed)

    def __iter__(self) -> Iterator[Attempt]:
        return iter(self._unconfirmed.values())

    def find(self, fence: Fence) -> Attempt | None:
        return self._unconfirmed.get(fence)

    def add(self, attempt: Attempt) -> None:
        """Its outcome is on its way to the broker."""
        self._unconfirmed[attempt.fence] = attempt

    def settle(self, attempts: Iterable[Attempt]) -> None:
        """Acknowledge: their ends are recorded."""
        usable: list[Delivery] = []
        for attempt in attempts:
            self._unconfirmed.pop(attempt.fence, None)
            open_ones = [delivery for delivery in attempt.deliveries if delivery.channel.open]
            usable += open_ones
            if not open_ones:
                self._remember(attempt.fence)
        self._receipts.acknowledge(usable)

    def settle_again(self, fence: Fence, delivery: Delivery) -> bool:
        """Acknowledge ``delivery`` if its attempt was settled too late for the message; whether it was."""
        if fence not in self._unacknowledged:
            return False
        del self._unacknowledged[fence]
        self._receipts.acknowledge([delivery])
        return True

    def _remember(self, fence: Fence) -> None:
        self._unacknowledged[fence] = None
        if len(self._unacknowledged) > REMEMBERED:
            self._unacknowledged.popitem(last=False)
