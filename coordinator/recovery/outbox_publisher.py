"""Publishes due attempts from the outbox table to their queues: retries, scheduled tasks, redrives.

    fold ─▶ row in the outbox ─▶ leased ─▶ lane opened ─▶ published, confirmed ─▶ row deleted

Every coordinator runs one; a lease keeps them apart, and is renewed while the broker takes its time.
Killed at any step, nothing is lost: the row is there until the broker has confirmed the message, and
its lease runs out some seconds later. And no attempt counts twice: one that is published again carries
the same id, and the law takes each attempt once. What may have been published is left alone until the
ledger has all that is in the log: where it is there, its row is gone, and nothing is done twice. What
the broker takes no more, because it is too large, is ended.

After an outage everything that became due meanwhile is published a lease at a time, each confirmed
before the next, so that submissions find room between.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import NoReturn, Protocol

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    LedgerUnavailable,
    OutcomeUnknown,
    TooManyLanes,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_token import task_token
from coordinator.protocol.trace_context import trace_id_of
from coordinator.task_log_context import task_context

from .oversized_tasks import OversizedTasks
from .ports import CatchesUp, IsReady, ReopensQueue

__all__ = ["OutboxPublisher"]

logger = logging.getLogger(__name__)

POLL = timedelta(seconds=0.5)
"""Between two looks, where nothing is known to be due earlier: another process may have folded
what is due."""

RENEWED_EVERY = timedelta(seconds=1.5)
"""Between two renewals of a lease, which lasts three times as long."""

LAST_BATCH = timedelta(seconds=2)
"""How long stopping waits for the broker's answers to what was leased."""


class LeasesOutboxRows(Protocol):
    """Leases due rows of the outbox to one publisher: `registry.stores.outbox_rows.OutboxRows`. Everything
    raises `LedgerUnavailable`.
    """

    async def next_due(self) -> datetime | None:
        """When the first row that nobody has leased is due; None where there is none."""

    async def any_in_doubt(self) -> bool:
        """Whether something is due that may have been published before."""

    async def lease(self, *, in_doubt: bool) -> list[TaskMessage]:
        """The messages of due attempts, the first due first, now this caller's to publish; those that may
        have been published before only with ``in_doubt``.
        """

    async def renew(self, leased: Sequence[TaskMessage]) -> None:
        """These are still being published by this caller."""

    async def done(self, published: Sequence[TaskMessage]) -> None:
        """The broker has these: their rows go."""

    async def give_back(self, refused: Sequence[TaskMessage]) -> None:
        """The broker does not have these: anybody may lease them again."""

    async def put_off(self, unanswered: Sequence[TaskMessage]) -> None:
        """Nobody knows whether the broker has these: they wait a while."""


class _Sent(Enum):
    """How a publish ended."""

    CONFIRMED = auto()
    REFUSED = auto()  #: the broker does not have it
    ENDED = auto()  #: it is too large, and its row goes when its end is folded
    UNKNOWN = auto()  #: nobody knows: it is published again after a while


class OutboxPublisher:
    """Leases due rows and publishes their attempts, a batch at a time. Run `run` while the process lasts.

    While the broker is not ``ready``, nothing is leased. ``secret`` signs the attempts' tokens.
    ``renewed_every``: between two renewals of a lease.
    """

    def __init__(
        self,
        *,
        rows: LeasesOutboxRows,
        puts: OversizedTasks,
        ensure: ReopensQueue,
        secret: bytes,
        types: AnnouncedTypes,
        ready: IsReady,
        catch_up: CatchesUp,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        renewed_every: timedelta = RENEWED_EVERY,
    ) -> None:
        self._rows = rows
        self._puts = puts
        self._ensure = ensure
        self._secret = secret
        self._types = types
        self._ready = ready
        self._catch_up = catch_up
        self._now = now
        self._renewed_every = renewed_every.total_seconds()
        self._soon = asyncio.Event()
        self.problem: str | None = None
        """Why nothing can be published at this moment; None while all is well."""

    def nudge(self, due: datetime) -> None:
        """A row was added: where it is due before the next look, look now."""
        if due <= self._now() + POLL:
            self._soon.set()

    async def run(self) -> NoReturn:
        """Ends only by cancellation, and then sees through what it has leased."""
        while True:
            self._soon.clear()
            pause = await self._look()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause.total_seconds()):
                    await self._soon.wait()

    async def _look(self) -> timedelta:
        """Publish a batch of what is due; return how long to wait for more."""
        if not self._ready():
            return POLL
        try:
            due = await self._rows.next_due()
            self.problem = None
            if due is None:
                return POLL
            wait = due - self._now()
            if wait > timedelta():
                return min(wait, POLL)
            claimed = await self._rows.lease(in_doubt=await self._sure())
            batch = asyncio.create_task(self._publish_all(claimed))
            try:
                all_went = await asyncio.shield(batch)
            except asyncio.CancelledError:
                await asyncio.wait([batch], timeout=LAST_BATCH.total_seconds())
                batch.cancel()
                raise
        except LedgerUnavailable as exc:
            if self.problem is None:
                logger.error("the outbox waits for the ledger: %s", exc)
            self.problem = str(exc)
            return POLL
        return timedelta() if claimed and all_went else POLL

    async def _sure(self) -> bool:
        """Whether all that was published is known, or nothing is due that may have been."""
        if await self._rows.any_in_doubt():
            try:
                await self._catch_up()
            except (LedgerBehind, BrokerUnavailable) as exc:
                logger.info("what may have been published waits", extra={"why": str(exc)})
                return False
        return True

    async def _publish_all(self, tasks: Sequence[TaskMessage]) -> bool:
        """Whether the broker took all of them."""
        renewing = asyncio.create_task(self._renew(tasks))
        try:
            sent = await asyncio.gather(*(self._publish(task) for task in tasks))
        finally:
            await cancel_and_wait(renewing)
        ended = list(zip(tasks, sent, strict=True))
        await self._rows.done([task for task, how in ended if how is _Sent.CONFIRMED])
        await self._rows.give_back([task for task, how in ended if how is _Sent.REFUSED])
        later = (_Sent.ENDED, _Sent.UNKNOWN)
        await self._rows.put_off([task for task, how in ended if how in later])
        return all(how is _Sent.CONFIRMED for how in sent)

    async def _renew(self, tasks: Sequence[TaskMessage]) -> NoReturn:
        while True:
            await asyncio.sleep(self._renewed_every)
            with contextlib.suppress(LedgerUnavailable):  # whoever takes them then publishes them
                await self._rows.renew(tasks)

    async def _publish(self, task: TaskMessage) -> _Sent:
        token = task_token(self._secret, task.task_id, task.generation, task.attempt)
        task = self._types.route(task.model_copy(update={"task_token": token}))
        context = task_context(
            task.task_id,
            attempt=task.attempt,
            task_type=task.task_type,
            trace_id=trace_id_of(task.traceparent),
        )
        try:
            await self._open_lane(task)
            put = await self._puts.put_or_end(task)
        except (OutcomeUnknown, BrokerUnavailable) as exc:
            logger.info("an attempt is not published yet", extra=context | {"why": str(exc)})
            return _Sent.UNKNOWN if isinstance(exc, OutcomeUnknown) else _Sent.REFUSED
        except Exception:
            # One that cannot be published holds up no other; it is tried for as long as it takes.
            logger.exception("an attempt cannot be published", extra=context)
            return _Sent.UNKNOWN
        return _Sent.CONFIRMED if put else _Sent.ENDED

    async def _open_lane(self, task: TaskMessage) -> None:
        try:
            await self._ensure(task.source, task.wanted, again=False)
        except TooManyLanes:
            # The limit is for what is submitted; this was accepted while there was room.
            await self._ensure(task.source, task.wanted, again=True)
