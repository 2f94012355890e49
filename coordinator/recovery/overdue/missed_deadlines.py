"""Ends the tasks that missed their deadline: the net under the agents, which reject such a task when
they take it.

Every coordinator looks. The id of the event is made of the task and its generation, so that it is
folded once, however many say it; and the law knows whether an attempt started before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task import Task
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec import encode_batch
from coordinator.protocol.messages.events import Event, TaskExpired
from coordinator.protocol.topology import EVENTS

from .ports import IsReady, NotesEvent

__all__ = ["MissedDeadlines"]

logger = logging.getLogger(__name__)

POLL = timedelta(seconds=1)
"""Between two looks for overdue tasks."""

GRACE = timedelta(seconds=1)
"""What an agent that took the task in time has to say so."""

BATCH = 500
"""Tasks that are ended with one message."""

SAID_AGAIN = timedelta(seconds=30)
"""An end that is not folded after so long is said again."""


class FindsOverdue(Protocol):
    """Reads the tasks that have passed their deadline: `registry.upkeep.overdue_tasks.OverdueTasks`."""

    async def since(self, deadline: datetime, *, most: int) -> list[Task]:
        """Those whose deadline was at or before ``deadline``, the longest overdue first. Raises
        `LedgerUnavailable`.
        """


class MissedDeadlines:
    """Looks for overdue tasks, and publishes `task.expired` for each. Run `run` as long as the process lasts.
    While the broker is not ``ready``, nothing is looked for. ``poll``: between two looks.
    """

    def __init__(
        self,
        *,
        overdue: FindsOverdue,
        publisher: PublishesMessages,
        note: NotesEvent,
        ready: IsReady,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll: timedelta = POLL,
    ) -> None:
        self._overdue = overdue
        self._publisher = publisher
        self._note = note
        self._ready = ready
        self._now = now
        self._poll = poll.total_seconds()
        self._said: dict[str, datetime] = {}

    async def run(self) -> NoReturn:
        """Ends only by cancellation."""
        while True:
            await asyncio.sleep(self._poll)
            try:
                while self._ready() and await self.look() == BATCH:
                    pass
            except Unavailable as exc:
                logger.info("overdue tasks are not ended for now", extra={"why": str(exc)})

    async def look(self) -> int:
        """End those that are overdue; return how many are told of now. Raises `Unavailable`."""
        now = self._now()
        self._said = {one: at for one, at in self._said.items() if now - at < SAID_AGAIN}
        found = await self._overdue.since(now - GRACE, most=BATCH)
        events = [event for event in map(_expired, found) if event.id not in self._said]
        if events:
            await self._say(events, now)
        return len(events)

    async def _say(self, events: Sequence[Event], now: datetime) -> None:
        key, message = encode_batch(events)
        await self._publisher.publish(message, exchange=EVENTS, key=key)
        for event in events:
            self._said[event.id] = now
            self._note(event)
        logger.info("tasks missed their deadline", extra={"tasks": len(events)})


def _expired(task: Task) -> Event:
    fence = f"{task.task_id}.{task.generation}"
    data = TaskExpired(task_id=task.task_id, generation=task.generation, attempt=task.attempt)
    return Event(id=f"{fence}.deadline", data=data)
