"""Forgets ended tasks when they were kept for long enough, a few at a time so that the projector gets its
turns.

Never forgotten are tasks that go on, tasks whose message may still be on its queue (whoever takes
it must be told that it has ended), tasks whose callbacks are still to be delivered, and, unless told
otherwise, dead tasks: they wait for a person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import NoReturn

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.callbacks.callback_delivery import DeliveryState
from coordinator.domain.task import ENDED, State
from coordinator.errors import LedgerUnavailable
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.parked_bounds import ParkedBounds, drop_aged
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros

from .task_removal import forget

__all__ = ["Retention", "RetentionPeriods"]

logger = logging.getLogger(__name__)

BATCH = 500
"""Tasks forgotten in one transaction."""

PAUSE = timedelta(milliseconds=200)
"""Between two transactions: the projector's time."""

LOOK_EVERY = timedelta(minutes=1)
"""Between two looks for tasks that are old enough."""

HELD_BY_CALLBACKS_FOR = timedelta(days=7)
"""A pending callback keeps its task no longer than this from when trying began: maybe nobody delivers any."""

KEEP_STUBS_FOR = timedelta(days=1)
"""Tasks of which nothing came but what agents said. Their own message reaches the log beside that,
so it will not come any more: the task was forgotten before, or never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPeriods:
    """Say how long after its end a task is kept; None is for ever."""

    ended: timedelta | None = timedelta(days=30)
    """Of all that are not dead."""
    dead: timedelta | None = None

    def of(self, state: State) -> timedelta | None:
        """Of a task that ended in this state."""
        return self.dead if state is State.DEAD else self.ended


class Retention:
    """Several may do it at once; each task is forgotten, and counted, once."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        keep: RetentionPeriods = RetentionPeriods(),
        parked: ParkedBounds = ParkedBounds(),  # noqa: B008 - frozen
        every: timedelta = LOOK_EVERY,
        pause: timedelta = PAUSE,
        active: Callable[[], bool] = lambda: True,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """While ``active`` says no, nothing is done: one process is enough, and it is the projector's.
        ``parked`` says for how long parked messages are kept. ``every`` lies between two looks, ``pause``
        between two transactions of one.
        """
        self._ledger = ledger
        self._active = active
        self._keep = keep
        self._parked = parked
        self._every = every.total_seconds()
        self._pause = pause.total_seconds()
        self._now = now
        self._log_end_before: int | None = None

    async def run(self) -> NoReturn:
        """Look now and then; ends only by cancellation."""
        while True:
            await asyncio.sleep(self._every)
            if not self._active():
                continue
            try:
                forgotten = await self.prune()
                dropped = await self.drop_parked()
            except LedgerUnavailable as exc:
                logger.warning("old tasks stay for now: %s", exc)
                continue
            if forgotten:
                logger.info("forgot tasks that ended long ago", extra={"count": forgotten})
            if dropped:
                logger.info("dropped messages that were parked long ago", extra={"count": dropped})

    async def prune(self) -> int:
        """Forget all that is old enough; return how many tasks. Raises `LedgerUnavailable`."""
        now = self._now()
        until = {
            state: micros(now - kept)
            for state in ENDED
            if (kept := self._keep.of(state)) is not None
        }
        forgotten = await self._in_batches(
            partial(_ended_before, until, micros(now - HELD_BY_CALLBACKS_FOR))
        )
        log_end = await self._ledger.read(_log_end)
        if self._log_end_before is not None:
            stubs = partial(_stubs_before, micros(now - KEEP_STUBS_FOR), self._log_end_before)
            forgotten += await self._in_batches(stubs)
        self._log_end_before = log_end
        return forgotten

    async def drop_parked(self) -> int:
        """Drop the parked messages that were kept for long enough; return how many. Raises
        `LedgerUnavailable`.
        """
        return await self._ledger.write(partial(drop_aged, bounds=self._parked, now=self._now()))

    async def _in_batches(self, which: Callable[[Connection], list[str]]) -> int:
        forgotten = 0
        while count := await self._ledger.write(lambda found: forget(found, which(found))):
            forgotten += count
            await asyncio.sleep(self._pause)
        return forgotten


def _ended_before(until: Mapping[State, int], held_since: int, connection: Connection) -> list[str]:
    """Some tasks whose end is old enough. The end is told by an agent's clock, which may be wrong;
    the submission is by a coordinator's, so nothing is forgotten as soon as it has ended.
    """
    tasks, callbacks = schema.tasks.c, schema.callbacks.c
    to_be_told = sa.exists().where(
        callbacks.task_id == tasks.task_id,
        callbacks.state == DeliveryState.PENDING.value,
        callbacks.since > held_since,
    )
    seen_to_leave = sa.or_(
        *(column >= tasks.published for column in (tasks.started, tasks.failed, tasks.settled))
    )
    queries = (
        sa.select(tasks.task_id)
        .where(
            tasks.state == state.value,
            tasks.ended_at < limit,
            tasks.content > 0,
            tasks.submitted_at < limit,
            seen_to_leave,
            tasks.callback.is_(None) | ~to_be_told,
        )
        .order_by(tasks.ended_at)
        .limit(BATCH)
        for state, limit in until.items()
    )
    found = (connection.execute(query).scalars() for query in queries)
    return list(chain.from_iterable(found))[:BATCH]


def _stubs_before(limit: int, log_end: int, connection: Connection) -> list[str]:
    """Some tasks without content, of which nothing is newer than ``limit`` or ``log_end``. The
    latter because the former is by agents' clocks: what has just come waits for its message.
    """
    tasks, events = schema.tasks.c, schema.events.c
    newer = sa.exists().where(
        events.subject == tasks.task_id, events.type.like("task.%"), events.position > log_end
    )
    query = sa.select(tasks.task_id).where(
        tasks.content == 0,
        sa.func.coalesce(tasks.ended_at, tasks.started_at, tasks.first_started_at, 0) < limit,
        ~newer,
    )
    return list(connection.execute(query.limit(BATCH)).scalars())


def _log_end(connection: Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(schema.events.c.position))).scalar() or 0)
