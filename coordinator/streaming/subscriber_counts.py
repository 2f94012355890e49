"""Counts the subscribers of this process, by the kind of their stream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

__all__ = ["StreamKind", "SubscriberCounts"]


class StreamKind(StrEnum):
    """Tells by what a subscriber is told."""

    EVENTS = "events"  #: `GET /events`
    TASK = "task"  #: `GET /tasks/{task_id}/stream`
    WEBSOCKET = "websocket"  #: `/ws`, whatever it has subscribed to


class SubscriberCounts:
    """Is told of each subscriber that comes, and of its end."""

    def __init__(self) -> None:
        self._open: Counter[StreamKind] = Counter()

    @contextmanager
    def counted(self, kind: StreamKind) -> Iterator[None]:
        """While the block lasts, there is one more."""
        self._open[kind] += 1
        try:
            yield
        finally:
            self._open[kind] -= 1

    def by_kind(self) -> Mapping[StreamKind, int]:
        """Now; every kind is there."""
        return {kind: self._open[kind] for kind in StreamKind}
