"""Gives requests turns to act on a task: retry, cancel, redrive, delete. For `recovery.ports.TakesTurns`.

    take: one transaction ── look at the task, decide, write the row ──▶ publish ──▶ folded: the turn is over
                └── the row of another is there: wait, and look again

What one coordinator has published, the others see only once it is folded; without a row in their way two of
them would decide on the same state, and both tell that it was they.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from sqlalchemy.engine import Connection

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import Task
from coordinator.errors import LedgerBehind, LedgerUnavailable, OutcomeUnknown, TaskNotFound
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.dead_task_selection import dead_after, still_dead
from coordinator.registry.tables.task_message_lookup import contents
from coordinator.registry.tables.task_rows import load
from coordinator.registry.tables.task_with_pending_events import current_task

from .turn_rows import TurnLook, TurnTaken, enter, enter_one, give_back, leave, name_events

__all__ = ["RequestTurns"]

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a request waits for its turn, unless it is told otherwise."""

POLL = 0.03
"""Seconds between two looks."""

_BUSY = "Another request acts on this task at this moment: ask again shortly"


class RequestTurns:
    """Lets one request at a time act on a task, over all coordinators.

    ``pending`` is `Registry.pending`: what this process has seen confirmed and the ledger may not have.
    ``settle`` is `Registry.settle`: it returns once the ledger has all that was in the log.
    ``patience``: seconds that a request waits for its turn, by ``monotonic``.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        pending: Callable[[str], list[Event]],
        settle: Callable[[], Awaitable[None]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._ledger = ledger
        self._pending = pending
        self._settle = settle
        self._now = now
        self._monotonic = monotonic
        self._patience = patience

    async def take(self, task_id: str, decide: Callable[[Task, TaskMessage], tuple[str, T]]) -> T:
        """Let ``decide`` look at how the task stands; it gives the id of the event that the caller
        publishes now, and what this returns. It is called in a thread, perhaps more than once.

        Raises what ``decide`` raises, `TaskNotFound`, `LedgerBehind`, `LedgerUnavailable` or
        `BrokerUnavailable`; then it is nobody's turn.
        """

        def attempt(settled: bool) -> Callable[[Connection], T]:
            pending = self._pending(task_id)
            look = TurnLook(now=self._now(), seen={event.id for event in pending}, settled=settled)
            return partial(_take, task_id, pending, look, decide)

        return await self._in_turn(attempt)

    async def alone(self, task_id: str, work: Callable[[Connection], T]) -> T:
        """Run ``work`` as a transaction while it is nobody else's turn, and what was published in any is
        folded. Raises as `take` does.
        """

        def attempt(settled: bool) -> Callable[[Connection], T]:
            return partial(_alone, task_id, TurnLook(now=self._now(), settled=settled), work)

        return await self._in_turn(attempt)

    async def take_dead(
        self,
        wanted: DeadFilter,
        *,
        after: Task | None,
        most: int,
        event_id: Callable[[Task], str],
    ) -> tuple[Task | None, list[tuple[Task, TaskMessage]]]:
        """Of the next ``most`` dead tasks after ``after``, the first that died first: the last one, None
        where there is none; and those that it is nobody else's turn to act on, with their content.
        ``event_id`` tells what will be published about each. Raises `LedgerUnavailable`.
        """
        look = TurnLook(now=self._now())
        return await self._ledger.write(partial(_take_dead, wanted, after, most, look, event_id))

    @asynccontextmanager
    async def sending(self, event_id: str) -> AsyncIterator[None]:
        """The block publishes this event. Where it certainly did not, the turn is over at once."""
        try:
            yield
        except OutcomeUnknown:
            raise
        except Exception:
            with suppress(LedgerUnavailable):  # then the row is in doubt, in a while
                await self._ledger.write(partial(give_back, event_id))
            raise

    async def _in_turn(self, attempt: Callable[[bool], Callable[[Connection], T]]) -> T:
        patient_until = self._monotonic() + self._patience
        settled = False
        while True:
            try:
                return await self._ledger.write(attempt(settled))
            except TaskNotFound:
                if settled:
                    raise
                await self._settle()
                settled = True
            except TurnTaken as held:
                if held.in_doubt and not settled:
                    await self._settle()
                    settled = True
                elif self._monotonic() > patient_until:
                    raise LedgerBehind(_BUSY) from None
                else:
                    await asyncio.sleep(POLL)


def _take(
    task_id: str,
    pending: Sequence[Event],
    look: TurnLook,
    decide: Callable[[Task, TaskMessage], tuple[str, T]],
    connection: Connection,
) -> T:
    holder = enter_one(connection, task_id, look)
    if not look.settled and not load(connection, [task_id]):
        raise TaskNotFound(task_id)  # what is pending may be of one that was deleted elsewhere
    event_id, decided = decide(*current_task(task_id, pending, connection))
    name_events(connection, holder, [(task_id, event_id)])
    return decided


def _alone(
    task_id: str, look: TurnLook, work: Callable[[Connection], T], connection: Connection
) -> T:
    holder = enter_one(connection, task_id, look)
    done = work(connection)
    leave(connection, holder)
    return done


def _take_dead(
    wanted: DeadFilter,
    after: Task | None,
    most: int,
    look: TurnLook,
    event_id: Callable[[Task], str],
    connection: Connection,
) -> tuple[Task | None, list[tuple[Task, TaskMessage]]]:
    candidates = dead_after(connection, wanted, after, most)
    if not candidates:
        return None, []
    holder, mine = enter(connection, [task.task_id for task in candidates], look)
    # Looked at again in turn: it may have been another's a moment ago.
    dead = still_dead(connection, wanted, mine)
    found = contents(connection, dead)
    tasks = [task for task in dead if task.task_id in found]
    name_events(connection, holder, [(task.task_id, event_id(task)) for task in tasks])
    leave(connection, holder, unnamed_alone=True)
    return candidates[-1], [(task, found[task.task_id]) for task in tasks]
