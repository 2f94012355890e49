"""Describes schedules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = ["Schedule", "ScheduleDeleted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Submits a task at each tick of a cron expression, or after each interval."""

    schedule_id: str
    cron: str | None = None
    every_seconds: int | None = None
    """In place of `cron`: seconds between two ticks."""
    timezone: str = "UTC"
    missed: str = "skip"
    """What becomes of ticks that were missed."""
    task_type: str | None = None
    task: Mapping[str, Any] | None = None
    """None in lists."""
    created_at: datetime | None = None
    created_by: str | None = None
    paused: bool = False
    next_at: datetime | None = None
    next_ticks: tuple[datetime, ...] = ()
    """The next few; none while it is paused, or set aside."""
    last_run_at: datetime | None = None
    last_task_id: str | None = None
    last_error: str | None = None
    """Why the last tick could not be submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDeleted:
    """It submits nothing more."""

    schedule_id: str
