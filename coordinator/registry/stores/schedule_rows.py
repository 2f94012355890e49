"""Reads and writes rows of recurring schedules, for the API and for the loop that runs them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.cron.ticks import Missed
from coordinator.errors import TooManyRequests
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.row_bytes import length_of, that_fit
from coordinator.registry.tables.schema import from_micros, micros, schedules
from coordinator.registry.tables.unreadable_rows import NOT_READ

from .recurring_schedule import RecurringSchedule

__all__ = [
    "add",
    "find",
    "micros_or_null",
    "page",
    "remove",
    "schedule_of",
]


def add(schedule: RecurringSchedule, most: int, connection: Connection) -> bool:
    """Whether it was new; one of the same id stays as it is. Raises `TooManyRequests` where who made it has
    ``most`` already; 0 is no limit.
    """
    table = schedules
    there = sa.select(table.c.schedule_id).where(table.c.schedule_id == schedule.schedule_id)
    if connection.execute(there).first() is not None:
        return False
    if most:
        theirs = table.c.created_by.is_not_distinct_from(schedule.created_by)
        count = sa.select(sa.func.count()).select_from(table).where(theirs)
        if connection.execute(count).scalar_one() >= most:
            raise TooManyRequests(
                f"There are {most} schedules of this caller, as many as it may have: delete one first"
            )
    row = {
        "schedule_id": schedule.schedule_id,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed.value,
        "task": to_json(schedule.task).decode(),
        "created_at": micros(schedule.created_at),
        "paused": int(schedule.paused),
        "next_at": micros_or_null(schedule.next_at),
        "claimed_until": 0,
        "created_by": schedule.created_by,
    }
    insert_new(connection, table, ["schedule_id"], [row])
    return True


def find(schedule_id: str, connection: Connection) -> RecurringSchedule | None:
    """None where there is none of this id."""
    query = sa.select(schedules).where(schedules.c.schedule_id == schedule_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else schedule_of(row)


def page(after: str, limit: int, connection: Connection) -> tuple[list[RecurringSchedule], bool]:
    """By id, ``limit`` of them or fewer where their tasks are large, and whether there are more; ``after`` is
    the last id of the page before, or empty.
    """
    table = schedules
    lengths = (
        sa.select(table.c.schedule_id, length_of(table.c.task, table.c.last_error))
        .where(table.c.schedule_id > after)
        .order_by(table.c.schedule_id)
        .limit(limit + 1)
    )
    there = connection.execute(lengths).all()
    fit = that_fit(row.length for row in there[:limit])
    ids = [row.schedule_id for row in there[:fit]]
    query = sa.select(table).where(table.c.schedule_id.in_(ids)).order_by(table.c.schedule_id)
    return [schedule_of(row) for row in connection.execute(query)], len(there) > fit


def remove(schedule_id: str, connection: Connection) -> bool:
    """Whether it was there."""
    gone = schedules.delete().where(schedules.c.schedule_id == schedule_id)
    return connection.execute(gone).rowcount > 0


def schedule_of(row: Row[Any], *, in_doubt: bool = False) -> RecurringSchedule:
    """Never fails: of a row that cannot be read it has what can be."""
    unreadable: str | None = None
    try:
        for name in ("cron", "timezone"):
            _check_text(name, getattr(row, name))
        missed, task, created_at = (
            Missed(row.missed),
            _task(row.task),
            from_micros(row.created_at),
        )
        moments = [_instant(value) for value in (row.next_at, row.last_run_at)]
    except NOT_READ as exc:
        unreadable = f"Its row in the ledger cannot be read: {exc}"
        missed, task, created_at = Missed.SKIP, {}, from_micros(0)
        moments = [None, None]
    return RecurringSchedule(
        schedule_id=row.schedule_id,
        cron=_shown(row.cron),
        timezone=_shown(row.timezone),
        missed=missed,
        task=task,
        created_at=created_at,
        created_by=row.created_by,
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


def micros_or_null(value: datetime | None) -> int | None:
    """An instant as a column that may be null has it."""
    return None if value is None else micros(value)


def _instant(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)
