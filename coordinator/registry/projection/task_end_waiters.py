"""Wakes those who wait for the end of a task, or of a group's tasks, so that nobody asks again and again.

    subscribe ─▶ look in the ledger ─▶ sleep until woken ─▶ look again …

Subscribing comes before looking, so no end falls between. What wakes is a hint and the ledger
decides; a hint may be lost with the link to the broker, so all are woken when there is a new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from coordinator.protocol.messages.events import (
    Event,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskExpired,
    TaskFailed,
    TaskLost,
    TaskTooLarge,
)

__all__ = ["TaskEndWaiters", "ends_of"]

_ENDS = (
    TaskCompleted,
    TaskFailed,
    TaskLost,
    TaskTooLarge,
    TaskCancelled,
    TaskExpired,
    TaskDeadLettered,
)


def ends_of(events: Iterable[Event]) -> Iterator[str]:
    """The ids of tasks that may have ended by these events: a failed attempt may be the last."""
    return (event.data.subject for event in events if isinstance(event.data, _ENDS))


class TaskEndWaiters:
    """Knows who waits for which task, or for which group, in this process: one for each of both."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def __len__(self) -> int:
        """Tasks that are waited for."""
        return len(self._waiting)

    @contextmanager
    def of(self, task_id: str) -> Iterator[asyncio.Event]:
        """Something that is set whenever the task may have ended; clear it before looking."""
        hint = asyncio.Event()
        self._waiting.setdefault(task_id, set()).add(hint)
        try:
            yield hint
        finally:
            hints = self._waiting[task_id]
            hints.discard(hint)
            if not hints:
                del self._waiting[task_id]

    def ended(self, task_ids: Iterable[str]) -> None:
        """These tasks may have ended."""
        if self._waiting:
            for task_id in task_ids:
                for hint in self._waiting.get(task_id, ()):
                    hint.set()

    def noticed(self, events: Sequence[Event]) -> None:
        """This process sees these events from now on, in the ledger or over it."""
        if self._waiting:
            self.ended(ends_of(events))

    def look_again(self) -> None:
        """Hints may have been lost."""
        self.ended(tuple(self._waiting))
