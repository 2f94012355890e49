"""Bounds the messages that a reader holds by their bytes: adapts its prefetch, which AMQP counts in messages.

    too many bytes ─▶ fewer at a time: what comes beyond them is let go, and comes again over a new channel
    small ones for a while ─▶ more at a time again, over a new channel too

A prefetch stands for as long as its consumer lasts, and RabbitMQ has none in bytes. One that is small enough
for large messages would make small batches of small ones.
"""

from __future__ import annotations

__all__ = ["MOST_BYTES", "PrefetchWindow"]

MOST_BYTES = 32 * 1024**2
"""Of all messages that a reader holds: twice the largest that it reads."""

LOOK_AFTER = 10
"""Windows that have passed before it may be wider: each change sends again what is under way."""


class PrefetchWindow:
    """Says how many messages may be held at a time: ``most``, or as many as ``most_bytes`` have room for. One
    message is held in any case, however large.
    """

    def __init__(self, most: int, *, most_bytes: int = MOST_BYTES) -> None:
        self.most = most
        self.most_bytes = most_bytes
        self.count = most
        """The prefetch of the next channel."""
        self.held = 0
        """Bytes that are held now."""
        self._holding = 0
        self._passed = 0
        self._passed_bytes = 0

    def begin(self) -> None:
        """Nothing is held: a new channel is read, with `count` as its prefetch."""
        self.held = self._holding = self._passed = self._passed_bytes = 0

    def take(self, size: int) -> bool:
        """Hold a message of ``size`` bytes. False where there is no room for it: then `count` is less, for a
        new channel.
        """
        if self._holding and self.held + size > self.most_bytes:
            mean = (self.held + size) // (self._holding + 1)
            self.count = max(1, min(self.count // 2, self._fitting(mean)))
            return False
        self.held += size
        self._holding += 1
        return True

    def settle(self, messages: int, size: int) -> bool:
        """Let go of so many, of ``size`` bytes together. True where `count` has become more, for a new
        channel.
        """
        self.held -= size
        self._holding -= messages
        self._passed += messages
        self._passed_bytes += size
        if self.count >= self.most or self._passed < LOOK_AFTER * self.count:
            return False
        wider = self._fitting(self._passed_bytes // self._passed)
        self._passed = self._passed_bytes = 0
        if wider < 2 * self.count:
            return False
        self.count = wider
        return True

    def _fitting(self, mean: int) -> int:
        """Messages of that size that fill half of the bytes."""
        return min(self.most, self.most_bytes // (2 * max(1, mean)))
