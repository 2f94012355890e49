"""Changes a schedule as people ask, in one transaction, so that no tick is lost and none is run twice.

A tick that is due stays due, and is run by the new rule. While a coordinator holds the lease of one, when the
schedule is due is not changed: that coordinator moves the schedule on by the rule that it has read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection

from coordinator.domain.cron.interval import Interval
from coordinator.domain.cron.ticks import Missed, check_cron, next_tick
from coordinator.errors import InvalidRequest, WrongState
from coordinator.registry.tables.schema import schedules

from .recurring_schedule import RecurringSchedule
from .schedule_leases import leased_at
from .schedule_rows import micros_or_null, schedule_of

__all__ = ["ScheduleEdit", "edit"]

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
    there = sa.select(schedules, leased_at(now).label("is_leased")).where(
        schedules.c.schedule_id == schedule_id
    )
    row = connection.execute(there.with_for_update()).one_or_none()
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
    this = schedules.c.schedule_id == schedule_id
    connection.execute(schedules.update().where(this).values(values))
    return changed


def _changed(found: RecurringSchedule, wanted: ScheduleEdit) -> RecurringSchedule:
    cron = found.cron if wanted.cron is None else wanted.cron
    timezone = found.timezone if wanted.timezone is None else wanted.timezone
    if Interval.read(cron) is not None:
        if wanted.timezone is not None:
            raise InvalidRequest(
                "timezone is for a cron expression, and this schedule has an interval: leave it out",
                field="timezone",
            )
        timezone = "UTC"
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
    coming = next_tick(changed.cron, changed.timezone, now)
    was_set_aside = changed.next_at is None
    return replace(
        changed, next_at=coming, last_error=None if was_set_aside else changed.last_error
    )
