"""Publishes an agent's events: in order, in batches under load, each until the broker confirms it.

What the broker refuses for now, or never answered, is published again. What it refuses for good, since
it is too large, is told in fewer bytes: `smaller`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, NoReturn, TypeVar

from coordinator.broker.publisher import Publisher
from coordinator.errors import MessageTooLarge, Unavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import encode_batch
from coordinator.protocol.messages.events import (
    Event,
    EventData,
    TaskCompleted,
    TaskFailed,
    TaskProgressed,
    TaskStarted,
)
from coordinator.protocol.topology import EVENTS
from coordinator.protocol.trace_context import TraceContext

from .._values.attempt_log_context import task_context
from ..agent_timings import DEFAULT_TIMINGS, AgentTimings
from ..outcome import smaller

__all__ = ["MAX_BATCH", "EventPublisher"]

logger = logging.getLogger(__name__)

MAX_BATCH = 200
"""Events in one message."""

MAX_BATCH_BYTES = 512 * 1024
"""A batch is closed when its results have this many bytes of JSON."""

TURNS = 2
"""Turns of the event loop that an event waits for others: a handler starts before its start is told, and
where it ends without waiting for anything, start and end are one message."""

Receipt = TypeVar("Receipt")


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Receipt]):
    event: Event
    size: int
    receipt: Receipt | None


class EventPublisher(Generic[Receipt]):
    """Has one batch in flight at a time, and the next one is what has come meanwhile: a quiet agent's
    event leaves at once, a busy agent's events travel together.

    A batch whose fate is unknown is published again, with the same ids, which folds to the same.
    """

    def __init__(
        self,
        publisher: Publisher,
        *,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random | None = None,
    ) -> None:
        self._publisher = publisher
        self._backoff = timings.publish_backoff
        self._rng = rng or random.Random()
        self.on_confirmed: Callable[[list[Receipt]], None] = lambda _: None
        """Given the receipts of each batch that the broker has confirmed."""
        self.on_result_refused: Callable[[], None] = lambda: None
        """Called for each result that was too large for the broker, and is told as a failure."""
        self.held_up = False
        """Whether the broker did not take the latest message, and it is tried again."""
        self.on_held_up: Callable[[], None] = lambda: None
        """Called when that has changed."""
        self._waiting: deque[_Entry[Receipt]] = deque()
        self._in_flight = 0
        self._added = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def __len__(self) -> int:
        """Events that are not confirmed yet."""
        return len(self._waiting) + self._in_flight

    def put(
        self,
        data: EventData,
        *,
        size: int = 0,
        receipt: Receipt | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        """``size`` is about how many bytes of JSON it will be."""
        self._waiting.append(_Entry(Event(data=data, trace=trace), size, receipt))
        self._empty.clear()
        self._added.set()

    async def emptied(self) -> None:
        """Wait until all that was put in is confirmed."""
        await self._empty.wait()

    async def run(self) -> NoReturn:
        """Publish until cancelled. What was put in stays in until the broker has confirmed it."""
        while True:
            await self._added.wait()
            for _ in range(TURNS):
                await asyncio.sleep(0)
            self._added.clear()
            while self._waiting:
                batch = self._next_batch()
                self._in_flight = len(batch)
                await self._deliver(batch)
            self._empty.set()

    async def _deliver(self, batch: list[_Entry[Receipt]]) -> None:
        """In halves where it is too large as a whole: one event must not hold up the others."""
        key, message = encode_batch([entry.event for entry in batch])
        try:
            await self._publish(key, message)
        except MessageTooLarge as exc:
            if len(batch) > 1:
                middle = len(batch) // 2
                await self._deliver(batch[:middle])
                await self._deliver(batch[middle:])
            else:
                await self._deliver_smaller(batch[0], exc)
            return
        self._in_flight -= len(batch)
        self.on_confirmed([entry.receipt for entry in batch if entry.receipt is not None])

    async def _deliver_smaller(self, entry: _Entry[Receipt], exc: MessageTooLarge) -> None:
        data = entry.event.data
        instead = smaller(data, exc)
        if instead is None:
            logger.error("an event is left out: %s", exc, extra=_context(data))
            self._in_flight -= 1
            return
        logger.warning("an outcome is told in fewer bytes: %s", exc, extra=_context(data))
        if isinstance(data, TaskCompleted):
            self.on_result_refused()
        event = Event(data=instead, trace=entry.event.trace)
        await self._deliver([replace(entry, event=event, size=0)])

    def _next_batch(self) -> list[_Entry[Receipt]]:
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and len(batch) < MAX_BATCH:
            size += self._waiting[0].size
            if size > MAX_BATCH_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _publish(self, key: str, message: Message) -> None:
        """Returns when it is confirmed. Raises `MessageTooLarge`."""
        pause, longest = self._backoff.first.total_seconds(), self._backoff.longest.total_seconds()
        while True:
            try:
                # Mandatory: without the log's binding an outcome would vanish, and be confirmed.
                await self._publisher.publish(message, exchange=EVENTS, key=key, mandatory=True)
            except Unavailable as exc:
                if not self.held_up:
                    logger.warning("events wait for the broker", extra={"why": str(exc)})
                self._hold_up(True)
            else:
                self._hold_up(False)
                return
            await asyncio.sleep(pause * self._rng.uniform(0.5, 1.0))
            pause = min(2 * pause, longest)
            await self._publisher.ready()

    def _hold_up(self, held_up: bool) -> None:
        changed, self.held_up = self.held_up != held_up, held_up
        if changed:
            self.on_held_up()


def _context(data: EventData) -> dict[str, object]:
    """The fields of a log line about an event, of a task or of the agent."""
    fields: dict[str, object] = {"event": data.TYPE}
    if isinstance(data, TaskCompleted | TaskFailed | TaskProgressed | TaskStarted):
        fields |= task_context(data.task_id, attempt=data.attempt, agent_id=data.agent_id)
    return fields
