"""Leases due rows of the outbox table to a publisher, for `recovery.outbox_publisher`.

    due ──lease──▶ leased for a while ──publish, confirmed──▶ done (the row goes)
     ▲                    ├── refused: given back, at once due again
     │                    └── ordered anew meanwhile: the lease is void
     └────────── lease ran out: whoever held it was killed, or never heard the broker's answer

A row also goes when its message was seen in the log, or its task has ended (`batch_folding`). So a row
whose lease ran out is in doubt until the ledger has all that is in the log, and most often gone by
then; where it is not, its message is published again under the same id, and is folded once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task import State, Task
from coordinator.domain.transitions.declines import times_declined
from coordinator.protocol.messages.task_message import InputAnswer, TaskMessage
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.schema import from_micros, micros
from coordinator.registry.tables.schema import outbox as table
from coordinator.registry.tables.task_message_lookup import contents, times_republished
from coordinator.registry.tables.task_rows import load_readable
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["LEASE", "UNANSWERED", "OutboxRows"]

LEASE = timedelta(seconds=5)
"""How long a lease lasts unless it is renewed: what was leased by a process that died waits so long."""

UNANSWERED = timedelta(seconds=30)
"""How long what was sent and not answered is left alone: it may be on its queue, and is known to be
once it was seen in the log."""

UNREADABLE = timedelta(minutes=5)
"""How long a row is left alone whose task cannot be read: another coordinator may be able to."""

LONGEST_LEASE = timedelta(minutes=10)
"""A lease that seems to last longer was made before the clock was set back, and does not count."""

BATCH = 200
"""Rows in one lease: what the broker confirms in some hundredths of a second."""

_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_KEY = (table.c.task_id, table.c.generation, table.c.attempt)

_Key = tuple[str, int, int]
_Leased = tuple[str, int, int, int]
"""A key, and until when the row was leased by whoever says so: nobody else's lease ends then."""


class OutboxRows:
    """Tells what is due, and keeps who publishes it. Each method is one transaction and raises
    `LedgerUnavailable`. An attempt is named by the message that carries it: the row's key is (task,
    generation, attempt).
    """

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = ledger
        self._now = now
        self._leases: dict[_Key, int] = {}
        """Until when this caller has leased a row, as the row says while the lease is its own."""

    async def next_due(self) -> datetime | None:
        """When the first row that nobody has leased is due; None where there is none."""
        return await self._ledger.read(partial(_next_due, self._now()))

    async def any_in_doubt(self) -> bool:
        """Whether something is due that may have been published before."""
        return await self._ledger.read(partial(_any_in_doubt, self._now()))

    async def lease(self, most: int = BATCH, *, in_doubt: bool = True) -> list[TaskMessage]:
        """The messages of due attempts, the first due first, now this caller's to publish; with those
        that are ``in_doubt`` or without.

        Rows that are no longer of use are taken away. ``task_token`` is as it was in the task's
        first message.
        """
        until = micros(self._now() + LEASE)
        leased = await self._ledger.write(
            partial(_lease, self._now(), until=until, most=most, in_doubt=in_doubt)
        )
        self._leases |= {_key_of(one): until for one in leased}
        return leased

    async def renew(self, leased: Sequence[TaskMessage]) -> None:
        """These are still being published by this caller, who keeps its lease of each, where it has not
        lost it.
        """
        until = micros(self._now() + LEASE)
        held = self._held(leased)
        await self._ledger.write(partial(_set_lease, held, until))
        self._leases |= {row[:3]: until for row in held}

    async def done(self, published: Sequence[TaskMessage]) -> None:
        """The broker has these."""
        await self._ledger.write(partial(_delete_leased, self._held(published)))
        self._end(published)

    async def give_back(self, refused: Sequence[TaskMessage]) -> None:
        """The broker does not have these: anybody may lease them again."""
        await self._ledger.write(partial(_set_lease, self._held(refused), 0))
        self._end(refused)

    async def put_off(self, unanswered: Sequence[TaskMessage]) -> None:
        """Nobody knows whether the broker has these."""
        until = micros(self._now() + UNANSWERED)
        await self._ledger.write(partial(_set_lease, self._held(unanswered), until))
        self._end(unanswered)

    def _held(self, leased: Sequence[TaskMessage]) -> list[_Leased]:
        keys = map(_key_of, leased)
        return [(*key, self._leases[key]) for key in keys if key in self._leases]

    def _end(self, leased: Sequence[TaskMessage]) -> None:
        for one in leased:
            self._leases.pop(_key_of(one), None)

    async def withdraw(self, task_id: str, generation: int) -> None:
        """The task has ended: nothing of this generation is to be published."""
        await self.withdraw_all([(task_id, generation)])

    async def withdraw_all(self, ended: Sequence[tuple[str, int]]) -> None:
        """These tasks have ended, pairs of task and generation: nothing of them is to be published."""
        await self._ledger.write(partial(_withdraw, ended))


def _free(now: datetime) -> sa.ColumnElement[bool]:
    return ~table.c.claimed_until.between(micros(now), micros(now + LONGEST_LEASE))


def _next_due(now: datetime, connection: Connection) -> datetime | None:
    query = sa.select(*_KEY, table.c.due_at).where(_free(now)).order_by(table.c.due_at).limit(1)
    return next(readable(connection.execute(query), _due_of, table), None)


def _due_of(row: Row[Any]) -> datetime:
    """Before all instants it is due, too: it is the first in order, and must not hold up the others."""
    try:
        return from_micros(row.due_at)
    except OverflowError:
        if row.due_at > 0:
            raise
        return _LONG_AGO


def _any_in_doubt(now: datetime, connection: Connection) -> bool:
    due = sa.and_(table.c.due_at <= micros(now), _free(now), table.c.claimed_until != 0)
    return connection.execute(sa.select(table.c.task_id).where(due).limit(1)).first() is not None


def _lease(
    now: datetime, connection: Connection, *, until: int, most: int, in_doubt: bool
) -> list[TaskMessage]:
    due = sa.and_(table.c.due_at <= micros(now), _free(now))
    if not in_doubt:
        due &= table.c.claimed_until == 0
    first = sa.select(*_KEY).where(due).order_by(table.c.due_at).limit(most)
    # `due` twice: PostgreSQL looks at it again where another coordinator was faster.
    lease = (
        table.update()
        .where(sa.tuple_(*_KEY).in_(first), due)
        .values(claimed_until=until)
        .returning(*_KEY, table.c.due_at)
    )
    leased = connection.execute(lease).all()
    rows = sorted(readable(leased, _checked, table), key=lambda row: row.due_at)
    tasks, unreadable = load_readable(connection, {row.task_id for row in rows})
    wanted = [row for row in rows if _is_wanted(row, tasks.get(row.task_id))]
    messages = contents(connection, [tasks[row.task_id] for row in wanted])
    unreadable |= {row.task_id for row in wanted} - messages.keys()
    checked = set(rows)
    left = [row for row in leased if row not in checked or row.task_id in unreadable]
    _set_lease([(*_key(row), until) for row in left], micros(now + UNREADABLE), connection)
    useless = [row for row in rows if row not in wanted and row not in left]
    _delete_leased([(*_key(row), until) for row in useless], connection)
    wanted = [row for row in wanted if row not in left]
    declined = [row.task_id for row in wanted if times_declined(tasks[row.task_id])[0]]
    republished = times_republished(connection, declined)
    return [
        messages[row.task_id].model_copy(
            update={
                "generation": row.generation,
                "attempt": row.attempt,
                "max_attempts": tasks[row.task_id].max_attempts,
                "not_before": None,
                "previous_progress": tasks[row.task_id].progress,
                "expires_at": tasks[row.task_id].expires_at,  # it waits while people are asked
                "answers": _answers(tasks[row.task_id]),
                "republished": _republished(tasks[row.task_id], republished),
            }
        )
        for row in wanted
    ]


def _checked(row: Row[Any]) -> Row[Any]:
    """SQLite keeps in a column what it is given."""
    if not isinstance(row.task_id, str):
        raise TypeError("the id of its task is no text")
    if not (isinstance(row.generation, int) and isinstance(row.attempt, int)):
        raise TypeError("its attempt is no number")
    return row


def _answers(task: Task) -> list[InputAnswer] | None:
    return [
        InputAnswer(
            question_id=one.question_id,
            question_digest=one.question_digest,
            answer=one.answer,
            timed_out=one.timed_out,
        )
        for one in task.answers
    ] or None


def _republished(task: Task, known: Mapping[str, int]) -> int | None:
    """Which message of this attempt it is, where others of the same attempt were given back."""
    times, number = times_declined(task)
    return max(known.get(task.task_id, 0), number) + 1 if times else None


def _is_wanted(row: Row[Any], task: Task | None) -> bool:
    """Whether the attempt is still to come: neither known from the log nor overtaken by an end."""
    if task is None or not task.known or task.ended or task.generation != row.generation:
        return False
    # One that waits may have been started, by an agent that gave it back after that.
    started = 0 if task.state is State.WAITING else task.started
    return bool(max(task.published, started, task.failed, task.settled) < row.attempt)


def _set_lease(leased: Sequence[_Leased], until: int, connection: Connection) -> None:
    if leased:
        connection.execute(table.update().where(_is_one_of(leased)).values(claimed_until=until))


def _withdraw(ended: Sequence[tuple[str, int]], connection: Connection) -> None:
    this = (table.c.task_id == sa.bindparam("of")) & (
        table.c.generation == sa.bindparam("generation_of")
    )
    given = [{"of": task_id, "generation_of": generation} for task_id, generation in ended]
    connection.execute(table.delete().where(this), given)


def _delete_leased(leased: Sequence[_Leased], connection: Connection) -> None:
    if leased:
        connection.execute(table.delete().where(_is_one_of(leased)))


def _is_one_of(leased: Sequence[_Leased]) -> sa.ColumnElement[bool]:
    """By task too, since SQLite looks only for that in the index."""
    tasks = table.c.task_id.in_([task_id for task_id, *_ in leased])
    return tasks & sa.tuple_(*_KEY, table.c.claimed_until).in_(leased)


def _key(row: Row[Any]) -> _Key:
    return row.task_id, row.generation, row.attempt


def _key_of(task: TaskMessage) -> _Key:
    return task.task_id, task.generation, task.attempt
