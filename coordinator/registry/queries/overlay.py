"""Remembers what the broker has confirmed to this process and the ledger may not have yet.

With it, a reader sees what this process just answered 200 to, although the projector is a moment
behind. An event may be folded before this process learns that it was confirmed, so the ids of what
was folded are remembered for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from coordinator.protocol.messages.events import Event

__all__ = ["Overlay"]

MOST = 10_000
"""Events kept; beyond it the oldest are let go, and are seen when they are folded."""


class Overlay:
    """Keeps events of tasks until they are folded."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._waiting: OrderedDict[str, Event] = OrderedDict()
        self._by_task: dict[str, list[str]] = {}
        self._folded: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        """The broker has confirmed this event, published by this process."""
        if event.id in self._folded or event.id in self._waiting:
            return
        self._waiting[event.id] = event
        self._by_task.setdefault(event.data.subject, []).append(event.id)
        if len(self._waiting) > self._most:
            self._forget(next(iter(self._waiting)))

    def folded(self, event_ids: Iterable[str]) -> None:
        """The ledger has these, of this process or another."""
        for event_id in event_ids:
            if event_id in self._waiting:
                self._forget(event_id)
                continue
            self._folded[event_id] = None
            if len(self._folded) > self._most:
                self._folded.popitem(last=False)

    def of(self, task_id: str) -> list[Event]:
        """What is still to be folded of this task, in the order in which it was added."""
        return [self._waiting[event_id] for event_id in self._by_task.get(task_id, ())]

    def all(self) -> list[Event]:
        """What is still to be folded, in the order in which it was added."""
        return list(self._waiting.values())

    def _forget(self, event_id: str) -> None:
        event = self._waiting.pop(event_id)
        of_task = self._by_task[event.data.subject]
        of_task.remove(event_id)
        if not of_task:
            del self._by_task[event.data.subject]
