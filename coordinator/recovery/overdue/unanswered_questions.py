"""Ends the wait for answers whose time is over, where the attempt that asked gave its slot back: another one
begins, and is told that there is none.

Every coordinator looks. The id of the event is made of the task and its attempt, so that it is folded
once, however many say it. An attempt that keeps its slot ends its wait by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task import Task
from coordinator.errors import Unavailable
from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.event_codec import encode_batch
from coordinator.protocol.messages.events import Event, TaskAnswered
from coordinator.protocol.topology import EVENTS
from coordinator.recovery.ports import IsReady, NotesEvent

__all__ = ["UnansweredQuestions"]

logger = logging.getLogger(__name__)

POLL = timedelta(seconds=1)
"""Between two looks."""

BATCH = 200
"""Waits that are ended with one message."""

SAID_AGAIN = timedelta(seconds=30)
"""An end that is not folded after so long is said again."""


class FindsUnanswered(Protocol):
    """Reads the tasks whose question was not answered in time:
    `registry.upkeep.unanswered_tasks.UnansweredTasks`.
    """

    async def since(self, instant: datetime, *, most: int) -> list[Task]:
        """Those whose time was over at ``instant``, the longest first. Raises `LedgerUnavailable`."""


class UnansweredQuestions:
    """Looks for them, and publishes `task.answered` without an answer for each. Run `run` as long as the
    process lasts. While the broker is not ``ready``, nothing is looked for. ``poll``: between two looks.
    """

    def __init__(
        self,
        *,
        unanswered: FindsUnanswered,
        publisher: PublishesMessages,
        note: NotesEvent,
        ready: IsReady,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll: timedelta = POLL,
    ) -> None:
        self._unanswered = unanswered
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
                logger.info("waits for answers are not ended for now", extra={"why": str(exc)})

    async def look(self) -> int:
        """End those that are over; return how many are told of now. Raises `Unavailable`."""
        now = self._now()
        self._said = {one: at for one, at in self._said.items() if now - at < SAID_AGAIN}
        found = await self._unanswered.since(now, most=BATCH)
        events = [event for event in map(_too_late, found) if event.id not in self._said]
        if events:
            key, message = encode_batch(events)
            await self._publisher.publish(message, exchange=EVENTS, key=key)
            for event in events:
                self._said[event.id] = now
                self._note(event)
            logger.info("questions were not answered in time", extra={"tasks": len(events)})
        return len(events)


def _too_late(task: Task) -> Event:
    question = task.question
    if question is None:
        raise ValueError(f"task {task.task_id!r} asks nothing")
    return Event(
        id=f"{task.task_id}.{task.generation}.{question.attempt}.unanswered",
        data=TaskAnswered(
            task_id=task.task_id,
            generation=task.generation,
            attempt=question.attempt,
            question_id=question.question_id,
            question_digest=json_digest(question.question),
            timed_out=True,
        ),
    )
