"""Remembers what the broker has confirmed to this process and the ledger may not have yet.

With it, a reader sees what this process just answered 200 to, although the projector is a moment
behind. An event may be folded before this process learns that it was confirmed, so the ids of what
was folded are remembered for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, KeysView
from datetime import datetime

from coordinator.protocol.messages.events import Event, TaskSubmitted
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage

__all__ = ["Overlay"]

MOST = 10_000
"""Events kept; beyond it the oldest are let go, and are seen when they are folded."""


class Overlay:
    """Keeps events of tasks until they are folded. Nearly all are folded unread, so that a submission becomes
    an event only when it is asked for.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._waiting: OrderedDict[str, Event | NewTask | TaskMessage] = OrderedDict()
        self._by_task: dict[str, list[str]] = {}
        self._folded: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, event: Event) -> None:
        """The broker has confirmed this event, published by this process."""
        self._add(event.id, event.data.subject, event)

    def add_submission(self, task: NewTask | TaskMessage) -> None:
        """The broker has confirmed the message of this task, published by this process."""
        self._add(task.message_id, task.task_id, task)

    def folded(self, event_ids: Iterable[str]) -> None:
        """The ledger has these, of this process or another."""
        for event_id in event_ids:
            if event_id in self._waiting:
                self._forget(event_id)
                continue
            self._folded[event_id] = None
            if len(self._folded) > self._most:
                self._folded.popitem(last=False)

    def ids(self) -> KeysView[str]:
        """Of what is still to be folded."""
        return self._waiting.keys()

    def of(self, task_id: str) -> list[Event]:
        """What is still to be folded of this task, in the order in which it was added."""
        return [_event(self._waiting[event_id]) for event_id in self._by_task.get(task_id, ())]

    def all(self) -> list[Event]:
        """What is still to be folded, in the order in which it was added."""
        return [_event(one) for one in self._waiting.values()]

    def oldest(self) -> datetime | None:
        """When the first of what is still to be folded was published."""
        return next((_time(one) for one in self._waiting.values()), None)

    def between(self, begin: datetime, end: datetime) -> list[Event]:
        """What is still to be folded and was published after ``begin``, and not after ``end``."""
        return [_event(one) for one in self._waiting.values() if begin < _time(one) <= end]

    def _add(self, event_id: str, task_id: str, one: Event | NewTask | TaskMessage) -> None:
        if event_id in self._folded or event_id in self._waiting:
            return
        self._waiting[event_id] = one
        self._by_task.setdefault(task_id, []).append(event_id)
        if len(self._waiting) > self._most:
            self._forget(next(iter(self._waiting)))

    def _forget(self, event_id: str) -> None:
        one = self._waiting.pop(event_id)
        task_id = one.data.subject if isinstance(one, Event) else one.task_id
        of_task = self._by_task[task_id]
        of_task.remove(event_id)
        if not of_task:
            del self._by_task[task_id]


def _time(one: Event | NewTask | TaskMessage) -> datetime:
    return one.time if isinstance(one, Event) else one.submitted_at


def _event(one: Event | NewTask | TaskMessage) -> Event:
    """As it will be read from the log."""
    if isinstance(one, Event):
        return one
    task = one.model if isinstance(one, NewTask) else one
    data = TaskSubmitted(
        task_id=task.task_id, generation=task.generation, attempt=task.attempt, task=task
    )
    return Event(id=task.message_id, time=task.submitted_at, data=data)
