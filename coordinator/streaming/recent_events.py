"""Keeps the latest events in memory: who comes back after a short while needs nothing from the ledger."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from .streamed_event import StreamedEvent

__all__ = ["RecentEvents"]

MOST_EVENTS = 5_000
MOST_BYTES = 8 * 1024 * 1024


class RecentEvents:
    """Holds all events after the position ``base`` up to ``head``, within its bounds."""

    def __init__(self, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._events: deque[StreamedEvent] = deque()
        self._size = 0
        self.base = 0
        self.head = 0

    def begin(self, position: int) -> None:
        """Hold nothing, and go on from there."""
        self._events.clear()
        self._size = 0
        self.base = self.head = position

    def add(self, events: Sequence[StreamedEvent], reached: int) -> None:
        """All that there is after `head`, up to ``reached``; the oldest make room."""
        self._events += events
        self._size += sum(event.size for event in events)
        self.head = max(self.head, reached)
        while len(self._events) > self._most_events or self._size > self._most_bytes:
            self._drop_oldest()

    def drop_to(self, position: int) -> None:
        """Some event up to there was deleted before it was read: who wants those asks the ledger."""
        while self._events and self._events[0].position <= position:
            self._drop_oldest()
        self.base = max(self.base, min(position, self.head))

    def covers(self, position: int) -> bool:
        """Whether all that follows ``position`` is here, up to `head`."""
        return self.base <= position <= self.head

    def after(self, position: int) -> list[StreamedEvent]:
        """In order; ``position`` is covered."""
        found: list[StreamedEvent] = []
        for event in reversed(self._events):
            if event.position <= position:
                break
            found.append(event)
        found.reverse()
        return found

    def _drop_oldest(self) -> None:
        oldest = self._events.popleft()
        self._size -= oldest.size
        self.base = oldest.position
