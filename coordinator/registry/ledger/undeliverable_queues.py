"""Notes in the ledger which queues the broker cannot deliver from, so that `coordinator doctor` can tell.

The doctor reads no queue itself, and finds the coordinator disconnected.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, NoReturn, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.errors import LedgerUnavailable
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import from_micros, meta, micros
from coordinator.registry.tables.unreadable_rows import readable

from .ledger import Ledger

__all__ = ["UndeliverableQueue", "UndeliverableQueues", "stuck_queues"]

PREFIX = "stuck_queue:"
"""Of the names in `meta`; the value is since when."""

INTERVAL = 2.0
"""Seconds between two looks."""


class QueueHead(Protocol):
    """Tells whether the broker delivers what is first in a queue: `broker.undeliverable_head.HeadOfQueue`."""

    queue: str

    @property
    def stuck(self) -> bool:
        """Whether connections ended, several in a row, as soon as this queue was read."""
        ...

    @property
    def readable(self) -> bool:
        """Whether something was read, and nothing has gone wrong since."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliverableQueue:
    """Names a queue that a coordinator could not read."""

    queue: str
    since: datetime


class UndeliverableQueues:
    """Keeps a note for each queue that cannot be read, until some coordinator has read it again.

    ``heads`` is called at each look, for the queues that this process reads.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        heads: Callable[[], Iterable[QueueHead]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._heads = heads
        self._now = now
        self._noted: dict[str, bool] = {}

    async def run(self) -> NoReturn:
        """Look now and then; ends only by cancellation."""
        while True:
            with contextlib.suppress(LedgerUnavailable):  # the next look tries again
                await self.look()
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """Write down what has changed. Raises `LedgerUnavailable`."""
        for head in self._heads():
            if not (head.stuck or head.readable) or self._noted.get(head.queue) is head.stuck:
                continue
            if head.stuck:
                await self._ledger.write(partial(_note, head.queue, self._now()))
            else:
                await self._ledger.write(partial(_forget, head.queue))
            self._noted[head.queue] = head.stuck


def stuck_queues(connection: Connection) -> tuple[UndeliverableQueue, ...]:
    """Those that are noted, by name."""
    query = sa.select(meta).where(meta.c.name.startswith(PREFIX, autoescape=True))
    return tuple(readable(connection.execute(query.order_by(meta.c.name)), _stuck_of, meta))


def _stuck_of(row: Row[Any]) -> UndeliverableQueue:
    return UndeliverableQueue(
        queue=row.name.removeprefix(PREFIX), since=from_micros(int(row.value))
    )


def _note(queue: str, now: datetime, connection: Connection) -> None:
    row = {"name": PREFIX + queue, "value": str(micros(now))}
    insert_new(connection, meta, ["name"], [row])


def _forget(queue: str, connection: Connection) -> None:
    connection.execute(meta.delete().where(meta.c.name == PREFIX + queue))
