"""Describes one recurring schedule as the ledger has it: its task, its cron expression, its next tick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coordinator.domain.cron.ticks import Missed, next_tick
from coordinator.errors import InvalidRequest

__all__ = ["RecurringSchedule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringSchedule:
    """Submits the same task at each tick of a cron expression, or after each interval."""

    schedule_id: str
    cron: str
    """A cron expression, or an interval as `domain.cron.interval.Interval` writes it."""
    timezone: str
    missed: Missed
    """What becomes of ticks that passed while no coordinator ran."""
    task: dict[str, Any]
    """The body of a submission."""
    created_at: datetime
    created_by: str | None = None
    """Who made it, where the API asks for credentials: its tasks are of that caller."""
    paused: bool = False
    next_at: datetime | None
    """The next tick, whether it is paused or not."""
    last_run_at: datetime | None = None
    """When the last tick was submitted; None where none was."""
    last_task_id: str | None = None
    """As which task."""
    last_error: str | None = None
    """Why the last tick could not be submitted; None where it was."""
    in_doubt: bool = False
    """Of one that was leased: its tick may have been submitted before."""
    unreadable: str | None = None
    """Why its row cannot be read; what could not be is empty then."""

    def next_after(self, instant: datetime) -> datetime | None:
        """Its first tick after an instant; None where it has no more. Raises `InvalidRequest` where it cannot
        be read, or run here.
        """
        if self.unreadable is not None:
            raise InvalidRequest(self.unreadable)
        return next_tick(self.cron, self.timezone, instant)
