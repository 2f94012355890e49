"""Recurring schedules in the ledger: their table, and who runs which tick.

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
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.cron.ticks import Missed
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import from_micros, micros, schedules
from coordinator.registry.tables.storable_text import storable
from coordinator.registry.tables.unreadable_rows import NOT_READ

__all__ = [
    "Schedule",
    "add",
    "advance",
    "any_due",
    "find",
    "keep_until",
    "lease_due",
    "page",
    "remove",
    "set_aside",
    "set_going",
    "set_paused",
    "stopped",
]

LONGEST_LEASE = timedelta(minutes=10)
"""A lease that seems to last longer was made before the clock was set back, and does not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A task that is submitted again and again."""

    schedule_id: str
    cron: str
    timezone: str
    missed: Missed
    task: dict[str, Any]
    """The body of a submission."""
    created_at: datetime
    paused: bool = False
    next_at: datetime | None
    """The next tick, whether it is paused or not."""
    last_run_at: datetime | None = None
    last_task_id: str | None = None
    last_error: str | None = None
    """Why the last tick could not be submitted; None where it was."""
    in_doubt: bool = False
    """Of one that was leased: its tick may have been submitted before."""
    unreadable: str | None = None
    """Why its row cannot be read; what could not be is empty then."""


def add(schedule: Schedule, connection: Connection) -> bool:
    """Whether it was new; one of the same id stays as it is."""
    table = schedules
    there = sa.select(table.c.schedule_id).where(table.c.schedule_id == schedule.schedule_id)
    if connection.execute(there).first() is not None:
        return False
    row = {
        "schedule_id": schedule.schedule_id,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed.value,
        "task": to_json(schedule.task).decode(),
        "created_at": micros(schedule.created_at),
        "paused": int(schedule.paused),
        "next_at": _micros(schedule.next_at),
        "claimed_until": 0,
    }
    insert_new(connection, table, ["schedule_id"], [row])
    return True


def find(schedule_id: str, connection: Connection) -> Schedule | None:
    query = sa.select(schedules).where(schedules.c.schedule_id == schedule_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _schedule_of(row)


def page(after: str, limit: int, connection: Connection) -> list[Schedule]:
    """By id; ``after`` is the last id of the page before, or empty."""
    query = (
        sa.select(schedules)
        .where(schedules.c.schedule_id > after)
        .order_by(schedules.c.schedule_id)
        .limit(limit)
    )
    return [_schedule_of(row) for row in connection.execute(query)]


def remove(schedule_id: str, connection: Connection) -> bool:
    """Whether it was there."""
    gone = schedules.delete().where(schedules.c.schedule_id == schedule_id)
    return connection.execute(gone).rowcount > 0


def set_paused(
    schedule_id: str, paused: bool, next_at: datetime | None, connection: Connection
) -> None:
    connection.execute(
        schedules.update()
        .where(schedules.c.schedule_id == schedule_id)
        .values(paused=int(paused), next_at=_micros(next_at))
    )


def any_due(now: datetime, connection: Connection) -> bool:
    """Whether a schedule is due that nobody has leased; asked often, and writes nothing."""
    due = sa.select(schedules.c.schedule_id).where(_due(now)).limit(1)
    return connection.execute(due).first() is not None


def lease_due(
    now: datetime, until: datetime, limit: int, connection: Connection
) -> Sequence[Schedule]:
    """Take some schedules that are due, for this process alone ``until`` then."""
    found = _lease(now, until, limit, connection, in_doubt=False)
    return found + _lease(now, until, limit - len(found), connection, in_doubt=True)


def _lease(
    now: datetime, until: datetime, limit: int, connection: Connection, *, in_doubt: bool
) -> list[Schedule]:
    table = schedules.c
    due = sa.and_(_due(now), table.claimed_until != 0 if in_doubt else table.claimed_until == 0)
    some = sa.select(table.schedule_id).where(due).order_by(table.next_at).limit(limit)
    leased = (
        schedules.update()
        .where(table.schedule_id.in_(some), due)
        .values(claimed_until=micros(until))
        .returning(schedules)
    )
    return [_schedule_of(row, in_doubt=in_doubt) for row in connection.execute(leased)]


def keep_until(
    instant: datetime | None, leased: Sequence[Schedule], connection: Connection
) -> None:
    """Nobody else takes these until then; None gives them back: nothing was submitted. Where somebody
    has moved one meanwhile, that stays.
    """
    table = schedules.c
    for schedule in leased:
        same = table.next_at == _micros(schedule.next_at)
        connection.execute(
            schedules.update()
            .where(table.schedule_id == schedule.schedule_id, same)
            .values(claimed_until=0 if instant is None else micros(instant))
        )


def advance(
    schedule: Schedule,
    next_at: datetime | None,
    ran: tuple[datetime, str] | None,
    error: str | None,
    connection: Connection,
) -> None:
    """Its due ticks were seen to; ``ran`` is when the last was submitted, and as which task. Where
    somebody has moved it meanwhile, that stays.
    """
    values: dict[str, Any] = {"next_at": _micros(next_at), "claimed_until": 0}
    values["last_error"] = None if error is None else storable(error)
    if ran is not None:
        values |= {"last_run_at": micros(ran[0]), "last_task_id": ran[1]}
    table = schedules.c
    connection.execute(
        schedules.update()
        .where(
            table.schedule_id == schedule.schedule_id, table.next_at == _micros(schedule.next_at)
        )
        .values(values)
    )


def set_aside(schedule: Schedule, why: str, connection: Connection) -> None:
    """It is not due any more, and says why. Where somebody has moved it meanwhile, that stays."""
    table = schedules.c
    this = table.schedule_id == schedule.schedule_id
    if schedule.next_at is not None:
        this &= table.next_at == micros(schedule.next_at)
    values = {"next_at": None, "claimed_until": 0, "last_error": storable(why)}
    connection.execute(schedules.update().where(this).values(values))


def stopped(connection: Connection) -> list[Schedule]:
    """Those that were set aside."""
    table = schedules.c
    query = sa.select(schedules).where(
        table.next_at.is_(None), table.paused == 0, table.last_error.is_not(None)
    )
    return [_schedule_of(row) for row in connection.execute(query).all()]


def set_going(schedule_id: str, next_at: datetime, connection: Connection) -> None:
    """What was set aside is due again; nothing else is changed."""
    table = schedules.c
    connection.execute(
        schedules.update()
        .where(table.schedule_id == schedule_id, table.next_at.is_(None), table.paused == 0)
        .values(next_at=micros(next_at), claimed_until=0, last_error=None)
    )


def _due(now: datetime) -> sa.ColumnElement[bool]:
    table = schedules.c
    leased = table.claimed_until.between(micros(now), micros(now + LONGEST_LEASE))
    return sa.and_(table.next_at <= micros(now), table.paused == 0, ~leased)


def _schedule_of(row: Row[Any], *, in_doubt: bool = False) -> Schedule:
    """Never fails: of a row that cannot be read it has what can be."""
    unreadable: str | None = None
    try:
        for name in ("cron", "timezone"):
            _check_text(name, getattr(row, name))
        missed, task, created_at = Missed(row.missed), _task(row.task), from_micros(row.created_at)
        moments = [_instant(value) for value in (row.next_at, row.last_run_at)]
    except NOT_READ as exc:
        unreadable = f"Its row in the ledger cannot be read: {exc}"
        missed, task, created_at = Missed.SKIP, {}, from_micros(0)
        moments = [None, None]
    return Schedule(
        schedule_id=row.schedule_id,
        cron=_shown(row.cron),
        timezone=_shown(row.timezone),
        missed=missed,
        task=task,
        created_at=created_at,
        paused=bool(row.paused),
        next_at=moments[0],
        last_run_at=moments[1],
        last_task_id=None if row.last_task_id is None else _shown(row.last_task_id),
        last_error=_shown(row.last_error or "") or unreadable,
        in_doubt=in_doubt,
        unreadable=unreadable,
    )


def _check_text(name: str, value: object) -> None:
    """SQLite keeps in a column of text what it is given."""
    if not isinstance(value, str):
        raise TypeError(f"its {name} is no text")


def _shown(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def _task(text: str) -> dict[str, Any]:
    task = from_json(text)
    if not isinstance(task, dict) or not isinstance(task.get("task_data"), dict):
        raise ValueError("its task is no submission")
    return task


def _micros(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def _instant(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)
