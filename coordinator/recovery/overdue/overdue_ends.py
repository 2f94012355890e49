"""Polls the ledger for tasks whose time is over, and publishes an event that ends the wait of each.

Every coordinator looks. The id of the event is made of the task and its fence, so that it is folded once,
however many say it. `missed_deadlines`, `unanswered_questions` and `follow_up_cancellations` say which tasks,
and which event.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task import Task
from coordinator.errors import Unavailable
from coordinator.protocol.messages.event_codec.event_encoding import encode_batch
from coordinator.protocol.messages.events import Event
from coordinator.protocol.topology import EVENTS
from coordinator.recovery.ports import IsReady, NotesEvent

__all__ = ["SAID_AGAIN", "FindsOverdue", "OverdueEnds", "OverdueRule"]

logger = logging.getLogger(__name__)

POLL = timedelta(seconds=1)
"""Between two looks."""

SAID_AGAIN = timedelta(seconds=30)
"""An end that is not folded after so long is said again."""


class FindsOverdue(Protocol):
    """Reads the tasks whose time is over: `registry.upkeep.overdue_tasks.OverdueTasks`,
    `registry.upkeep.unanswered_tasks.UnansweredTasks` and
    `registry.upkeep.stopped_follow_ups.StoppedFollowUps`.
    """

    async def since(self, instant: datetime, /, *, most: int) -> list[Task]:
        """Those whose time was over at ``instant``, the longest overdue first. Raises `LedgerUnavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueRule:
    """Says what is told of tasks whose time is over."""

    end: Callable[[Task], Event]
    """Called with each task that was found. Its id is the same whoever calls, however often."""
    grace: timedelta = timedelta()
    """For which agents are given the first word."""
    batch: int
    """Events in one message, at most."""
    done: str
    """What the log says where some were told of."""
    put_off: str
    """What the log says where the broker or the ledger does not answer."""


class OverdueEnds:
    """Publishes the event of ``rule`` for each task that ``overdue`` finds. Run `run` as long as the process
    lasts. While the broker is not ``ready``, nothing is looked for. ``poll``: between two looks.
    """

    def __init__(
        self,
        rule: OverdueRule,
        *,
        overdue: FindsOverdue,
        publisher: PublishesMessages,
        note: NotesEvent,
        ready: IsReady,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll: timedelta = POLL,
    ) -> None:
        self._rule = rule
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
                while self._ready() and await self.look() == self._rule.batch:
                    pass
            except Unavailable as exc:
                logger.info(self._rule.put_off, extra={"why": str(exc)})

    async def look(self) -> int:
        """End those whose time is over; return how many are told of now. Raises `Unavailable`."""
        now = self._now()
        self._said = {one: at for one, at in self._said.items() if now - at < SAID_AGAIN}
        found = await self._overdue.since(now - self._rule.grace, most=self._rule.batch)
        events = [event for event in map(self._rule.end, found) if event.id not in self._said]
        if events:
            await self._say(events, now)
        return len(events)

    async def _say(self, events: Sequence[Event], now: datetime) -> None:
        key, message = encode_batch(events)
        await self._publisher.publish(message, exchange=EVENTS, key=key)
        for event in events:
            self._said[event.id] = now
            self._note(event)
        logger.info(self._rule.done, extra={"tasks": len(events)})
