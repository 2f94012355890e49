"""Keeps what this process has folded since the feed's last round, so that it is not read from the ledger."""

from __future__ import annotations

from collections import deque

from coordinator.registry.feed.folded_page import FoldedPage
from coordinator.registry.feed.recorded_events import RecordedEvent, RecordedPage

__all__ = ["FoldedPages"]

MOST_EVENTS = 5_000
MOST_BYTES = 8 * 1024 * 1024


class FoldedPages:
    """Holds pages each of which begins where the one before ends. Another process may fold in between: then
    those before that are given up, and what they had is read.
    """

    def __init__(self, *, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._pages: deque[FoldedPage] = deque()
        self._events = 0
        self._size = 0

    def clear(self) -> None:
        """Nobody wants them."""
        self._pages.clear()
        self._events = self._size = 0

    def put(self, page: FoldedPage) -> None:
        """Where there is no room the oldest are given up, which are read instead."""
        if self._pages and self._pages[-1].reached != page.after:
            self.clear()
        self._pages.append(page)
        self._events += len(page.events)
        self._size += _size(page)
        while self._events > self._most_events or self._size > self._most_bytes:
            self._drop_first()

    def take(self, position: int, *, limit: int) -> RecordedPage | None:
        """What follows ``position``, of about ``limit`` events; None where that is not here."""
        while self._pages and self._pages[0].reached <= position:
            self._drop_first()
        if not self._pages or self._pages[0].after > position:
            return None
        end = self._pages[-1].reached
        events: list[RecordedEvent] = []
        reached = position
        while self._pages and len(events) < limit:
            page = self._drop_first()
            events += [one for one in page.events if one.position > position]
            reached = page.reached
        return RecordedPage(events=events, reached=reached, end=end, forgotten_to=0)

    def _drop_first(self) -> FoldedPage:
        page = self._pages.popleft()
        self._events -= len(page.events)
        self._size -= _size(page)
        return page


def _size(page: FoldedPage) -> int:
    return sum(len(event.data) for event in page.events)
