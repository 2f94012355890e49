"""Leases due ticks of schedules to one coordinator, and moves schedules on, for `recovery.schedule_runner`.

    due ──lease──▶ leased for a while ──submitted──▶ advanced to its next tick
     ▲                    └── nothing was sent: given back, at once due again
     └────────── lease ran out: whoever held it was killed, or never heard the broker's answer

One whose lease ran out is in doubt: its tick may have been submitted, and is submitted again under
the same task id, which is the same task.

One that can no longer be read, or run (its time zone is not known here), is set aside: it has no next
tick, and says why, until a coordinator that can makes it go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.errors import InvalidRequest
from coordinator.registry.tables.schema import micros, schedules
from coordinator.registry.tables.storable_text import storable

from .recurring_schedule import RecurringSchedule
from .schedule_rows import micros_or_null, schedule_of

__all__ = ["advance", "any_due", "keep_until", "lease_due", "leased_at", "set_aside", "take_up"]

LONGEST_LEASE = timedelta(minutes=10)
"""A lease that seems to last longer was made before the clock was set back, and does not count."""


def any_due(now: datetime, connection: Connection) -> bool:
    """Whether a schedule is due that nobody has leased; asked often, and writes nothing."""
    due = sa.select(schedules.c.schedule_id).where(_due(now)).limit(1)
    return connection.execute(due).first() is not None


def lease_due(
    now: datetime, until: datetime, limit: int, connection: Connection
) -> Sequence[RecurringSchedule]:
    """Take at most ``limit`` schedules that are due, for this process alone ``until`` then; those that
    are not in doubt first.
    """
    found = _lease(now, until, limit, connection, in_doubt=False)
    return found + _lease(now, until, limit - len(found), connection, in_doubt=True)


def _lease(
    now: datetime, until: datetime, limit: int, connection: Connection, *, in_doubt: bool
) -> list[RecurringSchedule]:
    table = schedules.c
    due = sa.and_(_due(now), table.claimed_until != 0 if in_doubt else table.claimed_until == 0)
    some = sa.select(table.schedule_id).where(due).order_by(table.next_at).limit(limit)
    leased = (
        schedules.update()
        .where(table.schedule_id.in_(some), due)
        .values(claimed_until=micros(until))
        .returning(schedules)
    )
    return [schedule_of(row, in_doubt=in_doubt) for row in connection.execute(leased)]


def keep_until(
    instant: datetime | None, leased: Sequence[RecurringSchedule], connection: Connection
) -> None:
    """Nobody else takes these until then; None gives them back: nothing was submitted. Where somebody
    has moved one meanwhile, that stays.
    """
    table = schedules.c
    for schedule in leased:
        same = table.next_at == micros_or_null(schedule.next_at)
        connection.execute(
            schedules.update()
            .where(table.schedule_id == schedule.schedule_id, same)
            .values(claimed_until=0 if instant is None else micros(instant))
        )


def advance(
    schedule: RecurringSchedule,
    next_at: datetime | None,
    ran: tuple[datetime, str] | None,
    error: str | None,
    connection: Connection,
) -> None:
    """Its due ticks were seen to; ``ran`` is when the last was submitted, and as which task. Where
    somebody has moved it meanwhile, or changed its rule, that stays, and only its last run is told.
    """
    table = schedules.c
    it = sa.and_(
        table.schedule_id == schedule.schedule_id,
        table.created_at == micros(schedule.created_at),
    )
    unmoved = sa.and_(
        table.next_at == micros_or_null(schedule.next_at),
        table.cron == schedule.cron,
        table.timezone == schedule.timezone,
    )
    told = {} if ran is None else {"last_run_at": micros(ran[0]), "last_task_id": ran[1]}
    values = told | {
        "next_at": micros_or_null(next_at),
        "claimed_until": 0,
        "last_error": None if error is None else storable(error),
    }
    moved_on = connection.execute(schedules.update().where(it, unmoved).values(values)).rowcount
    if ran is None or moved_on:
        return
    newer = sa.or_(table.last_run_at.is_(None), table.last_run_at < micros(ran[0]))
    connection.execute(schedules.update().where(it, newer).values(told))


def set_aside(schedule: RecurringSchedule, why: str, connection: Connection) -> None:
    """It is not due any more, and says why. Where somebody has moved it meanwhile, that stays."""
    table = schedules.c
    this = table.schedule_id == schedule.schedule_id
    if schedule.next_at is not None:
        this &= table.next_at == micros(schedule.next_at)
    values = {"next_at": None, "claimed_until": 0, "last_error": storable(why)}
    connection.execute(schedules.update().where(this).values(values))


def take_up(now: datetime, connection: Connection) -> list[str]:
    """Set going, from its next tick on, what was set aside and can be run here; the ids."""
    table = schedules.c
    stopped = (
        sa.select(schedules)
        .where(table.next_at.is_(None), table.paused == 0, table.last_error.is_not(None))
        .order_by(table.schedule_id)
    )
    taken: list[str] = []
    for row in connection.execute(stopped.with_for_update()).all():
        try:
            coming = schedule_of(row).next_after(now)
        except InvalidRequest:
            continue  # it has said so
        if coming is not None:
            this = table.schedule_id == row.schedule_id
            values = {"next_at": micros(coming), "claimed_until": 0, "last_error": None}
            connection.execute(schedules.update().where(this).values(values))
            taken.append(row.schedule_id)
    return taken


def _due(now: datetime) -> sa.ColumnElement[bool]:
    table = schedules.c
    return sa.and_(table.next_at <= micros(now), table.paused == 0, ~leased_at(now))


def leased_at(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a coordinator has the lease of a schedule then."""
    return schedules.c.claimed_until.between(micros(now), micros(now + LONGEST_LEASE))
