"""Reads the log and folds it into the ledger, a batch at a time.

    log ─▶ read and check ─▶ one transaction ─▶ tell this process, command agents ─▶ acknowledge

The broker lets one projector read at a time (single active consumer), so there is one writer however
many coordinators run; the fence stops one that was suspended and wakes up late. A batch is
acknowledged only when it is committed: killed anywhere, the next projector reads it again, and an
event that was folded before changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NoReturn, TypeVar

from sqlalchemy.engine import Connection

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.domain.clock_skew import told_by_our_clock
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.task_transitions import Effect, PublishAt, Rules
from coordinator.errors import ChannelLost, LedgerUnavailable, Superseded, Unreadable
from coordinator.protocol.messages.agent_commands import CancelTask
from coordinator.protocol.messages.event_codec import Refused, is_batch, read
from coordinator.protocol.messages.events import Event, LedgerMarked, TaskEvent
from coordinator.protocol.topology import LOG
from coordinator.registry.ledger.batch_folding import FoldedBatch, store
from coordinator.registry.ledger.parked_messages import ParkedMessage, parked_delivery, parked_event

from .command_sender import CommandSender
from .event_validation import check_event
from .left_out_fields_log import LeftOutFieldsLog
from .projector_fence import ProjectorFence

__all__ = ["ProjectionListeners", "Projector"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

BATCH = 1000
SPACING = 0.02
"""Seconds between two transactions that are not full: each costs the process, and its submissions,
some milliseconds, whatever is in it. The first event after a pause is folded at once."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two tries while the ledger cannot be written; doubled each time."""


@dataclass(slots=True)
class _Reading:
    """What one message of the log came to."""

    delivery: Delivery
    events: list[Event] = field(default_factory=list)
    parked: list[ParkedMessage] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    """Ids of `LedgerMarked`, which are passed on and never stored."""

    @property
    def mixed(self) -> bool:
        """Whether there is more in it than one event."""
        return len(self.events) > 1 or bool(self.parked or self.marks)

    def apart(self) -> list[_Reading]:
        """Each event alone, in order, and then what else there is."""
        alone = [_Reading(self.delivery, events=[event]) for event in self.events]
        return [*alone, _Reading(self.delivery, parked=self.parked, marks=self.marks)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionListeners:
    """Who is told what, once a batch is committed."""

    folded: Callable[[Sequence[Event]], None]
    """The events that are new, in order."""
    due: Callable[[datetime], None] = lambda _: None
    """When each new row of the outbox is."""
    marked: Callable[[Sequence[str]], None] = lambda _: None
    """Which marks the ledger has passed: told last."""


class Projector:
    """Run `session` with `Connection.keep`. ``skew_of`` tells how far an agent's clock is ahead, where
    that is known, and is asked in a thread.
    """

    def __init__(
        self,
        *,
        fence: ProjectorFence,
        secret: bytes,
        commands: CommandSender,
        told: ProjectionListeners,
        retry: RetryBackoff = RetryBackoff(),  # noqa: B008 - frozen
        skew_of: Callable[[str], timedelta | None] = lambda _: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fence = fence
        self._secret = secret
        self._commands = commands
        self._told = told
        self._retry = retry
        self._skew_of = skew_of
        self._now = now
        self._left_out = LeftOutFieldsLog()
        self.problem: str | None = None
        """Why nothing can be stored at this moment; None while all is well."""
        self.parked = 0
        """Messages parked since this process started."""

    async def session(self, link: Link) -> NoReturn:
        """Project for as long as the link lasts; waits while another projector is active."""
        async with BatchReader(
            link, queue=LOG, name="projector", batch=BATCH, spacing=SPACING
        ) as batches:
            try:
                async for batch in batches:
                    if not self._fence.held:
                        await self._begin_epoch(batches)
                    await self._store(await asyncio.to_thread(self._read, batch))
                    await batches.settle(batch)
            finally:
                self._fence.release()
                self.problem = None  # what it was is another's to tell now
        raise ChannelLost

    async def _begin_epoch(self, batches: BatchReader) -> None:
        """With the first batch of a session. The broker is asked after it: who read the log when its
        epoch began is superseded by whoever reads it later, and never the other way round.
        """
        await self._patiently(self._fence.begin_epoch)
        await batches.check()

    def _read(self, batch: Sequence[Delivery]) -> list[_Reading]:
        return [self._read_one(delivery) for delivery in batch]

    def _read_one(self, delivery: Delivery) -> _Reading:
        """Every event of a message; what is wrong with one of them parks that one alone."""
        reading = _Reading(delivery)
        for one in read(delivery.message, delivery.routing_key):
            if isinstance(one, Refused):
                reading.parked.append(parked_delivery(delivery, one.why, self._now(), one.alone))
            elif isinstance(one.data, LedgerMarked):
                reading.marks.append(one.id)
            else:
                self._check(one, reading)
        return reading

    def _check(self, event: Event, reading: _Reading) -> None:
        try:
            check_event(event, self._secret)
        except Unreadable as exc:
            reading.parked.append(parked_event(event, exc, self._now()))
        else:
            self._left_out.tell(event.data.author or "", event.left_out)
            reading.events.append(self._by_our_clock(event))

    def _by_our_clock(self, event: Event) -> Event:
        """What an agent says of a task, with its instant by this process's clock: so it is kept."""
        if event.data.author is None or not isinstance(event.data, TaskEvent):
            return event
        skew = self._skew_of(event.data.author)
        return replace(event, time=told_by_our_clock(event.time, skew, self._now()))

    async def _store(self, readings: list[_Reading]) -> None:
        """Returns once all of it is stored, however long that takes."""
        try:
            stored = await self._patiently(partial(self._write, readings))
        except Superseded:
            raise
        except Exception as exc:  # noqa: BLE001
            # Nothing may hold up the log: what the ledger chokes on is found and parked.
            await self._store_apart(readings, exc)
            return
        self._tell(stored, readings)

    async def _patiently(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try until the ledger can be written."""
        pause = FIRST_PAUSE
        while True:
            try:
                done = await work()
            except LedgerUnavailable as exc:
                if self.problem is None:
                    logger.error("the projector waits for the ledger: %s", exc)
                self.problem = str(exc)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self.problem = None
                return done

    async def _store_apart(self, readings: list[_Reading], why: Exception) -> None:
        if len(readings) > 1:
            middle = len(readings) // 2
            await self._store(readings[:middle])
            await self._store(readings[middle:])
            return
        (reading,) = readings
        if not reading.events:
            raise why
        if reading.mixed:
            for alone in reading.apart():
                await self._store([alone])
            return
        logger.error("an event cannot be folded", exc_info=why)
        if is_batch(reading.delivery.message):
            parked = parked_event(reading.events[0], why, self._now())
        else:
            parked = parked_delivery(reading.delivery, why, self._now())
        await self._store([_Reading(reading.delivery, parked=[parked])])

    async def _write(self, readings: list[_Reading]) -> FoldedBatch:
        """One transaction. Once begun it is seen through, so that what it stored is told, too."""
        if not any(reading.events or reading.parked for reading in readings):
            return FoldedBatch()
        writing = asyncio.ensure_future(self._fence.write(partial(self._transact, readings)))
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            if not writing.cancelled() and writing.exception() is None:
                self._tell(writing.result(), readings)
            raise

    def _transact(self, readings: list[_Reading], connection: Connection) -> FoldedBatch:
        events = [event for reading in readings for event in reading.events]
        parked = [parked for reading in readings for parked in reading.parked]
        rules = Rules(now=self._now(), retry=self._retry)
        return store(connection, events, rules, parked)

    def _tell(self, stored: FoldedBatch, readings: Sequence[_Reading]) -> None:
        self.parked += len(stored.parked)
        if stored.parked:
            first = stored.parked[0]
            logger.warning(
                "parked messages that are no events",
                extra={
                    "count": len(stored.parked),
                    "first": first.reason,
                    "routing_key": first.routing_key,
                },
            )
        self._told.folded(stored.events)
        for effect in stored.effects:
            self._take_up(effect)
        marks = [mark for reading in readings for mark in reading.marks]
        if marks:
            self._told.marked(marks)

    def _take_up(self, effect: Effect) -> None:
        if isinstance(effect, PublishAt):
            self._told.due(effect.due)
            return
        command = CancelTask(
            task_id=effect.task_id, generation=effect.generation, reason=effect.reason
        )
        self._commands.tell(effect.agent_id, command)
