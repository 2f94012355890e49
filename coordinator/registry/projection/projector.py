"""Folds the log into the ledger, a batch at a time.

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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NoReturn, TypeVar

from sqlalchemy.engine import Connection

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.connection import Link
from coordinator.broker.prefetch_window import PrefetchWindow
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.domain.transitions.effects import (
    AnswerAgent,
    CancelOnAgent,
    Effect,
    PublishAt,
    Rules,
)
from coordinator.errors import LedgerUnavailable, Superseded
from coordinator.protocol.messages.agent_commands import CancelTask, Command, GiveAnswer
from coordinator.protocol.messages.event_codec.event_reading import holds_several
from coordinator.protocol.messages.events import Event, TaskEvent
from coordinator.protocol.topology import LOG
from coordinator.registry.ledger.batch_folding import FoldedBatch, store
from coordinator.registry.ledger.parked_bounds import ParkedBounds, drop_surplus
from coordinator.registry.ledger.parked_messages import parked_delivery, parked_event
from coordinator.task_log_context import task_context

from .command_sender import CommandSender
from .fold_interceptors import FoldInterceptor, fold_intercepted
from .log_decoder import LogDecoder, LogReading
from .projector_fence import ProjectorFence

__all__ = ["APART", "BESIDE", "FoldPace", "ProjectionListeners", "Projector"]

T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldPace:
    """Says how much the projector folds at a time, and how long it waits in between."""

    batch: int = 1000
    """Messages of the log in one transaction at most."""
    spacing: float = 0.02
    """Seconds between two transactions that are not full: each costs the process, and its submissions,
    some milliseconds, whatever is in it. The first event after a pause is folded at once."""
    first_pause: float = 0.1
    longest_pause: float = 5.0
    """Seconds between two tries while the ledger cannot be written; doubled each time."""


BESIDE = FoldPace()
"""In a process that answers requests, too."""
APART = FoldPace(spacing=0.05)
"""In a process of its own: nothing there holds it up, so it would fold smaller batches than beside
submissions, and take more CPU for the same events."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionListeners:
    """Are called on the event loop once a batch is committed, in this order; none may raise."""

    folded: Callable[[Sequence[Event]], None]
    """Once for each batch, with the events that are new, in the order of the log."""
    due: Callable[[datetime], None] = lambda _: None
    """Once for each new row of the outbox, with the instant at which it is due."""
    called: Callable[[], None] = lambda: None
    """Where callbacks were ordered."""
    marked: Callable[[Sequence[str]], None] = lambda _: None
    """With the ids of the marks that the ledger has passed, where there are some."""


class Projector:
    """Folds the log for as long as its session lasts. Run `session` with `Connection.keep`.

    ``reader`` is called in a thread. ``interceptors`` see each transaction. ``parked``: how much of what
    cannot be folded is kept. ``metadata_keys``: those of the tasks' metadata by which they are found.
    """

    def __init__(
        self,
        *,
        fence: ProjectorFence,
        reader: LogDecoder,
        commands: CommandSender,
        told: ProjectionListeners,
        retry: RetryBackoff = RetryBackoff(),  # noqa: B008 - frozen
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pace: FoldPace = BESIDE,
        interceptors: Sequence[FoldInterceptor] = (),
        parked: ParkedBounds = ParkedBounds(),  # noqa: B008 - frozen
        metadata_keys: frozenset[str] = frozenset(),
    ) -> None:
        self._fence = fence
        self._reader = reader
        self._commands = commands
        self._told = told
        self._retry = retry
        self._now = now
        self._pace = pace
        self._interceptors = tuple(interceptors)
        self._parked = parked
        self._metadata_keys = metadata_keys
        self._window = PrefetchWindow(2 * pace.batch)
        self.problem: str | None = None
        """Why nothing can be stored at this moment; None while all is well."""

    async def session(self, link: Link) -> NoReturn:
        """Project for as long as the link lasts; waits while another projector is active."""
        while True:  # a round for each width of the window
            async with BatchReader(
                link,
                queue=LOG,
                name="projector",
                batch=self._pace.batch,
                spacing=self._pace.spacing,
                window=self._window,
            ) as batches:
                try:
                    async for batch in batches:
                        if not self._fence.held:
                            await self._begin_epoch(batches)
                        await self._store(await asyncio.to_thread(self._reader.read, batch))
                        await batches.settle(batch)
                finally:
                    self._fence.release()
                    self.problem = None  # what it was is another's to tell now
            logger.info(
                "the log is read with another prefetch", extra={"prefetch": self._window.count}
            )

    async def _begin_epoch(self, batches: BatchReader) -> None:
        """With the first batch of a session. The broker is asked after it: who read the log when its
        epoch began is superseded by whoever reads it later, and never the other way round.
        """
        await self._patiently(self._fence.begin_epoch)
        await batches.check()

    async def _store(self, readings: list[LogReading]) -> None:
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
        pause = self._pace.first_pause
        while True:
            try:
                done = await work()
            except LedgerUnavailable as exc:
                if self.problem is None:
                    logger.error("the projector waits for the ledger: %s", exc)
                self.problem = str(exc)
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._pace.longest_pause)
            else:
                self.problem = None
                return done

    async def _store_apart(self, readings: list[LogReading], why: Exception) -> None:
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
        (event,) = reading.events
        logger.error("an event cannot be folded", exc_info=why, extra=_log_context(event))
        if holds_several(reading.delivery.message):
            parked = parked_event(event, why, self._now())
        else:
            parked = parked_delivery(reading.delivery, why, self._now())
        await self._store([LogReading(reading.delivery, parked=[parked])])

    async def _write(self, readings: list[LogReading]) -> FoldedBatch:
        """One transaction. Once begun it is seen through, so that what it stored is told, too."""
        if not any(reading.events or reading.parked for reading in readings):
            return FoldedBatch()
        events = [event for reading in readings for event in reading.events]
        work = partial(self._transact, events, readings)
        writing = asyncio.ensure_future(
            fold_intercepted(self._interceptors, events, partial(self._fence.write, work))
        )
        try:
            return await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            if not writing.cancelled() and writing.exception() is None:
                self._tell(writing.result(), readings)
            raise

    def _transact(
        self, events: list[Event], readings: list[LogReading], connection: Connection
    ) -> FoldedBatch:
        parked = [parked for reading in readings for parked in reading.parked]
        rules = Rules(now=self._now(), retry=self._retry, metadata_keys=self._metadata_keys)
        stored = store(connection, events, rules, parked)
        if stored.parked:
            drop_surplus(connection, self._parked)
        return stored

    def _tell(self, stored: FoldedBatch, readings: Sequence[LogReading]) -> None:
        self._told.folded(stored.events)
        for effect in stored.effects:
            self._take_up(effect)
        if stored.callbacks:
            self._told.called()
        marks = [mark for reading in readings for mark in reading.marks]
        if marks:
            self._told.marked(marks)

    def _take_up(self, effect: Effect) -> None:
        if isinstance(effect, PublishAt):
            self._told.due(effect.due)
            return
        self._commands.tell(effect.agent_id, _command(effect))


def _command(effect: CancelOnAgent | AnswerAgent) -> Command:
    if isinstance(effect, CancelOnAgent):
        return CancelTask(
            task_id=effect.task_id, generation=effect.generation, reason=effect.reason
        )
    answer = effect.answer
    return GiveAnswer(
        task_id=effect.task_id,
        generation=effect.generation,
        question_id=answer.question_id,
        question_digest=answer.question_digest,
        answer=answer.answer,
        timed_out=answer.timed_out,
    )


def _log_context(event: Event) -> dict[str, object]:
    fields: dict[str, object] = {"event": event.id}
    data = event.data
    if not isinstance(data, TaskEvent):
        return fields
    return fields | task_context(data.task_id, attempt=data.attempt, agent_id=data.author)
