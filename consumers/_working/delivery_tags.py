"""Decides which delivery tags one frame can acknowledge together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Acks", "DeliveryTags"]


@dataclass(frozen=True, slots=True)
class Acks:
    """Says what to send for a set of finished messages of one channel."""

    up_to: int | None
    """Acknowledge everything up to this tag in one frame."""
    single: tuple[int, ...]
    """And these one by one."""


class DeliveryTags:
    """Keeps the delivery tags of one channel that are in hand, in the order in which they arrived."""

    def __init__(self) -> None:
        self._order: deque[int] = deque()
        self._open: set[int] = set()

    def __len__(self) -> int:
        return len(self._open)

    def hold(self, tag: int) -> None:
        """``tag`` was delivered; tags come in rising order."""
        self._order.append(tag)
        self._open.add(tag)

    def drop(self, tag: int) -> bool:
        """Settle it in another way, such as giving it back; whether it was still in hand."""
        if tag not in self._open:
            return False
        self._open.discard(tag)
        return True

    def finish(self, tags: Iterable[int]) -> Acks:
        """Settle ``tags``, those that are still in hand."""
        finished = self._open.intersection(tags)
        self._open -= finished
        up_to: int | None = None
        while self._order and self._order[0] not in self._open:
            tag = self._order.popleft()
            if tag in finished:
                up_to = tag  # never a tag that was settled before: the broker refuses such an ack
                finished.discard(tag)
        return Acks(up_to, tuple(sorted(finished)))
