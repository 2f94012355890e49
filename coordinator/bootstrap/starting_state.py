"""Reads from the open ledger what the service starts with: key, clock, task queues, announced types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.registry.ledger.database_clock import DatabaseClock
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.task_queue_rows import openers_of_task_queues

__all__ = ["StartingState", "read_starting_state"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartingState:
    """The ledger, and what was read from it at the start."""

    ledger: Ledger
    now: Callable[[], datetime]
    """The clock of the service."""
    clock: DatabaseClock | None
    """What `now` reads; None where the clock was replaced."""
    secret: bytes
    """The key of the task tokens."""
    book: TaskQueues
    types: AnnouncedTypes


async def read_starting_state(
    ledger: Ledger, *, secret: str | None, now: Callable[[], datetime] | None
) -> StartingState:
    """``secret`` and ``now`` come before what the database has. Raises `LedgerUnavailable`, and
    `OperatorError` where the key in the ledger is damaged.
    """
    book = TaskQueues()
    openers = await ledger.read(openers_of_task_queues)
    for source, requirements in await ledger.task_queues():
        book.add(source, requirements, openers.get(source))
    types = AnnouncedTypes(await ledger.announced_types())
    clock: DatabaseClock | None = None
    if now is None:
        clock = DatabaseClock(ledger)
        await clock.compare()
        now = clock.now
    return StartingState(
        ledger=ledger,
        now=now,
        clock=clock,
        secret=secret.encode() if secret else await ledger.secret(),
        book=book,
        types=types,
    )
