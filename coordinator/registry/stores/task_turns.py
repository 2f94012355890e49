"""Requests that act on a task take turns, whichever coordinators they reach: retry, cancel, redrive, delete.

    take: one transaction ── look at the task, decide, write the row ──▶ publish ──▶ folded: the turn is over
                └── the row of another is there: wait, and look again

What one coordinator has published, the others see only once it is folded; without a row in their way two of
them would decide on the same state, and both tell that it was they. A row names the event that is published
in its turn, and is over when the ledger has that event. One that has lasted for long names what may never
have been published, since its coordinator was killed or got no answer: it is over once the ledger has all
that is in the log, and not this.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import Task
from coordinator.errors import LedgerBehind, LedgerUnavailable, OutcomeUnknown, TaskNotFound
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.current_task import current_task
from coordinator.registry.tables.dead_task_rows import dead_after, still_dead
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import turns as table
from coordinator.registry.tables.task_messages import contents
from coordinator.registry.tables.task_rows import load

__all__ = ["LASTS", "TaskTurns"]

T = TypeVar("T")

LASTS = timedelta(seconds=30)
"""After which a turn is in doubt."""

KEPT = timedelta(hours=1)
"""After which a row is taken away by whoever comes next."""

PATIENCE = 2.0
"""Seconds that a request waits for its turn."""

POLL = 0.03
"""Seconds between two looks."""

_BUSY = "Another request acts on this task at this moment: ask again shortly"


class _Held(Exception):
    """It is another's turn."""

    def __init__(self, *, in_doubt: bool) -> None:
        self.in_doubt = in_doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What one transaction goes by."""

    now: datetime
    seen: Collection[str] = ()
    """Ids of events that count as folded."""
    settled: bool = False
    """Whether the ledger has all that was in the log when the request came: what it has not is not so."""


class TaskTurns:
    """``pending`` is `Registry.pending`: what this process has seen confirmed and the ledger may not
    have. ``settle`` is `Registry.settle`.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        pending: Callable[[str], list[Event]],
        settle: Callable[[], Awaitable[None]],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ledger = ledger
        self._pending = pending
        self._settle = settle
        self._now = now

    async def take(self, task_id: str, decide: Callable[[Task, TaskMessage], tuple[str, T]]) -> T:
        """Let ``decide`` look at how the task stands; it gives the id of the event that the caller
        publishes now, and what this returns. It is called in a thread, perhaps more than once.

        Raises what ``decide`` raises, `TaskNotFound`, `LedgerBehind`, `LedgerUnavailable` or
        `BrokerUnavailable`; then it is nobody's turn.
        """

        def attempt(settled: bool) -> Callable[[Connection], T]:
            pending = self._pending(task_id)
            look = _Look(now=self._now(), seen={event.id for event in pending}, settled=settled)
            return partial(_take, task_id, pending, look, decide)

        return await self._in_turn(attempt)

    async def alone(self, task_id: str, work: Callable[[Connection], T]) -> T:
        """Run ``work`` as a transaction while it is nobody else's turn, and what was published in any is
        folded. Raises as `take` does.
        """

        def attempt(settled: bool) -> Callable[[Connection], T]:
            return partial(_alone, task_id, _Look(now=self._now(), settled=settled), work)

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
        look = _Look(now=self._now())
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
                await self._ledger.write(partial(_give_back, event_id))
            raise

    async def _in_turn(self, attempt: Callable[[bool], Callable[[Connection], T]]) -> T:
        patient_until = time.monotonic() + PATIENCE
        settled = False
        while True:
            try:
                return await self._ledger.write(attempt(settled))
            except TaskNotFound:
                if settled:
                    raise
                await self._settle()
                settled = True
            except _Held as held:
                if held.in_doubt and not settled:
                    await self._settle()
                    settled = True
                elif time.monotonic() > patient_until:
                    raise LedgerBehind(_BUSY) from None
                else:
                    await asyncio.sleep(POLL)


def _take(
    task_id: str,
    pending: Sequence[Event],
    look: _Look,
    decide: Callable[[Task, TaskMessage], tuple[str, T]],
    connection: Connection,
) -> T:
    holder = _enter_one(connection, task_id, look)
    if not look.settled and not load(connection, [task_id]):
        raise TaskNotFound(task_id)  # what is pending may be of one that was deleted elsewhere
    event_id, decided = decide(*current_task(task_id, pending, connection))
    _name(connection, holder, [(task_id, event_id)])
    return decided


def _alone(task_id: str, look: _Look, work: Callable[[Connection], T], connection: Connection) -> T:
    holder = _enter_one(connection, task_id, look)
    done = work(connection)
    connection.execute(table.delete().where(table.c.holder == holder))
    return done


def _take_dead(
    wanted: DeadFilter,
    after: Task | None,
    most: int,
    look: _Look,
    event_id: Callable[[Task], str],
    connection: Connection,
) -> tuple[Task | None, list[tuple[Task, TaskMessage]]]:
    candidates = dead_after(connection, wanted, after, most)
    if not candidates:
        return None, []
    holder, mine = _enter(connection, [task.task_id for task in candidates], look)
    # Looked at again in turn: it may have been another's a moment ago.
    dead = still_dead(connection, wanted, mine)
    found = contents(connection, dead)
    tasks = [task for task in dead if task.task_id in found]
    _name(connection, holder, [(task.task_id, event_id(task)) for task in tasks])
    unnamed = (table.c.holder == holder) & (table.c.event_id == "")
    connection.execute(table.delete().where(unnamed))
    return candidates[-1], [(task, found[task.task_id]) for task in tasks]


def _give_back(event_id: str, connection: Connection) -> None:
    connection.execute(table.delete().where(table.c.event_id == event_id))


def _enter_one(connection: Connection, task_id: str, look: _Look) -> str:
    holder, mine = _enter(connection, [task_id], look)
    if mine:
        return holder
    query = sa.select(table.c.taken_at).where(table.c.task_id == task_id)
    taken_at = connection.execute(query).scalar()
    raise _Held(in_doubt=taken_at is not None and taken_at < micros(look.now - LASTS))


def _enter(
    connection: Connection, task_ids: Sequence[str], look: _Look
) -> tuple[str, Sequence[str]]:
    """Under which name, and of which tasks, it is this transaction's turn."""
    connection.execute(table.delete().where(table.c.taken_at < micros(look.now - KEPT)))
    rows = connection.execute(sa.select(table).where(table.c.task_id.in_(task_ids))).all()
    over = [row.holder for row in _over(connection, rows, look)]
    # By the holder as well: another may have been as quick, and have the next turn.
    connection.execute(
        table.delete().where(table.c.task_id.in_(task_ids), table.c.holder.in_(over))
    )
    holder = secrets.token_hex(16)
    now = micros(look.now)
    insert_new(
        connection,
        table,
        ["task_id"],
        [
            {"task_id": task_id, "holder": holder, "event_id": "", "taken_at": now}
            for task_id in sorted(task_ids)  # in one order, so that no two wait for each other
        ],
    )
    mine = sa.select(table.c.task_id).where(table.c.holder == holder)
    return holder, connection.execute(mine).scalars().all()


def _over(connection: Connection, rows: Sequence[Row[Any]], look: _Look) -> list[Row[Any]]:
    events = schema.events.c
    named = [row.event_id for row in rows]
    query = sa.select(events.id).where(events.id.in_(named), events.agent_id == "")
    folded = {*look.seen, *connection.execute(query).scalars()} if named else set()
    lasted = micros(look.now - LASTS)
    return [
        row for row in rows if row.event_id in folded or (look.settled and row.taken_at < lasted)
    ]


def _name(connection: Connection, holder: str, events: Iterable[tuple[str, str]]) -> None:
    given = [{"of": task_id, "named": event_id} for task_id, event_id in events]
    if given:
        this = (table.c.holder == holder) & (table.c.task_id == sa.bindparam("of"))
        connection.execute(table.update().where(this).values(event_id=sa.bindparam("named")), given)
