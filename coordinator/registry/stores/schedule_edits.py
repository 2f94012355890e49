"""Edits, pauses and resumes a schedule as people ask, each in one transaction, so that no tick is lost and
none is run twice.

A tick that is due stays due, and is run by the new rule. While a coordinator holds the lease of one, when the
schedule is due is not changed: that coordinator moves the schedule on by the rule that it has read. Only one
that is resumed is moved past such a tick, and its lease is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.cron.interval import Interval
from coordinator.domain.cron.ticks import Missed, check_cron, next_tick
from coordinator.errors import InvalidRequest, WrongState
from coordinator.registry.tables.schema import schedules

from .recurring_schedule import RecurringSchedule
from .schedule_leases import leased_at
from .schedule_rows import micros_or_null, schedule_of

__all__ = ["ScheduleEdit", "edit", "pause", "resume"]

_LEASED = "A tick of it is being submitted now, so when it is due cannot be changed: repeat it in a moment"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleEdit:
    """Says what is to be other than it is; None leaves it."""

    cron: str | None = None
    """A cron expression, or an interval as `Interval.text`."""
    timezone: str | None = None
    missed: Missed | None = None
    task: dict[str, Any] | None = None
    """The body of a submission, whole."""


def edit(
    schedule_id: str, wanted: ScheduleEdit, now: datetime, connection: Connection
) -> RecurringSchedule | None:
    """As it is then; None where there is none of this id. Raises `InvalidRequest`, or `WrongState` while a
    tick of it is being submitted, or where it cannot be read.
    """
    row = _locked(schedule_id, now, connection)
    if row is None:
        return None
    found = schedule_of(row)
    if found.unreadable is not None:
        raise WrongState(f"It cannot be changed: {found.unreadable}. Delete it, and make it anew")
    changed = _changed(found, wanted)
    if (changed.cron, changed.timezone) != (found.cron, found.timezone):
        if row.is_leased:
            raise WrongState(_LEASED)
        changed = _due_anew(changed, now)
    values = {
        "cron": changed.cron,
        "timezone": changed.timezone,
        "missed": changed.missed.value,
        "task": to_json(changed.task).decode(),
        "next_at": micros_or_null(changed.next_at),
        "last_error": changed.last_error,
    }
    connection.execute(_update(schedule_id).values(values))
    return changed


def pause(schedule_id: str, connection: Connection) -> RecurringSchedule | None:
    """As it is then; None where there is none of this id. A tick that is leased is run all the same."""
    pausing = _update(schedule_id).values(paused=1).returning(schedules)
    row = connection.execute(pausing).one_or_none()
    return None if row is None else schedule_of(row)


def resume(schedule_id: str, now: datetime, connection: Connection) -> RecurringSchedule | None:
    """As it is then, due from its next tick on; None where there is none of this id. Raises `WrongState`
    where it cannot be read, or run here.
    """
    row = _locked(schedule_id, now, connection)
    if row is None:
        return None
    found = schedule_of(row)
    if not found.paused:
        return found
    try:
        coming = found.next_after(now)
    except InvalidRequest as exc:
        raise WrongState(f"It cannot go on: {exc}. Delete it, and make it anew") from exc
    resumed = replace(_moved(found, coming), paused=False)
    values = {
        "paused": 0,
        "next_at": micros_or_null(resumed.next_at),
        "claimed_until": 0,
        "last_error": resumed.last_error,
    }
    connection.execute(_update(schedule_id).values(values))
    return resumed


def _locked(schedule_id: str, now: datetime, connection: Connection) -> Row[Any] | None:
    there = sa.select(schedules, leased_at(now).label("is_leased")).where(
        schedules.c.schedule_id == schedule_id
    )
    return connection.execute(there.with_for_update()).one_or_none()


def _update(schedule_id: str) -> sa.Update:
    return schedules.update().where(schedules.c.schedule_id == schedule_id)


def _changed(found: RecurringSchedule, wanted: ScheduleEdit) -> RecurringSchedule:
    cron = found.cron if wanted.cron is None else wanted.cron
    timezone = found.timezone if wanted.timezone is None else wanted.timezone
    interval = Interval.read(cron)
    if interval is not None:
        if wanted.timezone is not None:
            raise InvalidRequest(
                "timezone is for a cron expression, and this schedule has an interval: leave it out",
                field="timezone",
            )
        timezone = "UTC"
        if interval.is_as_long_as(found.cron):  # asked for again, it would begin anew each time
            cron = found.cron
    return replace(
        found,
        cron=cron,
        timezone=timezone,
        missed=found.missed if wanted.missed is None else wanted.missed,
        task=found.task if wanted.task is None else wanted.task,
    )


def _due_anew(changed: RecurringSchedule, now: datetime) -> RecurringSchedule:
    check_cron(changed.cron, changed.timezone)
    is_due = changed.next_at is not None and changed.next_at <= now and not changed.paused
    if is_due:
        return changed
    return _moved(changed, next_tick(changed.cron, changed.timezone, now))


def _moved(schedule: RecurringSchedule, coming: datetime | None) -> RecurringSchedule:
    """One that was set aside goes on: why it could not is over."""
    was_set_aside = schedule.next_at is None
    last_error = None if was_set_aside else schedule.last_error
    return replace(schedule, next_at=coming, last_error=last_error)
