"""Computes the ticks at which a recurring schedule is due. Pure.

Five fields (minute, hour, day of month, month, day of week), or six with seconds in front, in the
schedule's own time zone. Both follow one rule where clocks are changed:

    the expression      a time that is never shown         a time that is shown twice
    names hours         is run when a later one is shown   is run once, the first time
    leaves out no hour  is not run                         is run both times

So what is to be done at half past two each night is done each night, once; and what is to be done every
ten minutes goes on every ten minutes.
An `Interval` in place of the expression knows no clocks. Every tick is later than the instant that it was
asked for after.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice, takewhile

from coordinator.errors import InvalidRequest

from .expression import CronExpression
from .interval import Interval
from .wall_clock import SECOND, WallClock, check_timezone

__all__ = [
    "MOST_MISSED",
    "Missed",
    "check_cron",
    "coming_ticks",
    "due_now",
    "last_tick",
    "next_tick",
]

MOST_MISSED = 100
"""Missed ticks that are run for one schedule after an outage, where all of them are wanted."""

_DAY = timedelta(days=1)


class Missed(StrEnum):
    """The treatment of ticks that passed while no coordinator ran."""

    SKIP = "skip"
    """Nothing: the next tick is the next run."""
    ONCE = "once"
    """One run, for the latest of them."""
    ALL = "all"
    """One run for each of them, the latest hundred at most."""


def check_cron(cron: str, timezone: str) -> None:
    """Raises `InvalidRequest` for what cannot be read, or never comes."""
    check_timezone(timezone)
    if next_tick(cron, timezone, datetime.now(UTC)) is None:
        raise InvalidRequest(f"cron {cron!r} never comes", field="cron")


def next_tick(cron: str, timezone: str, after: datetime) -> datetime | None:
    """The first tick after an instant, in UTC; None where there is none within fifty years. Raises
    `InvalidRequest` for what cannot be read.
    """
    interval = Interval.read(cron)
    after = after.astimezone(UTC).replace(microsecond=0)
    try:
        if interval is not None:
            return interval.after(after)
        expression, clock = CronExpression.read(cron), WallClock.of(timezone)
        if expression.every_hour:
            return _next_shown(expression, clock, after)
        time = expression.after(clock.reached(after))
        return None if time is None else clock.first_at(time)
    except OverflowError:  # beyond the calendar's last year
        return None


def coming_ticks(cron: str, timezone: str, first: datetime, count: int) -> list[datetime]:
    """At most ``count`` ticks from ``first``, which is one, on. Raises `InvalidRequest` as `next_tick`."""
    found: list[datetime] = []
    tick: datetime | None = first
    while tick is not None and len(found) < count:
        found.append(tick)
        tick = next_tick(cron, timezone, tick)
    return found


def last_tick(cron: str, timezone: str, until: datetime) -> datetime | None:
    """The last tick before an instant, or at it; otherwise as `next_tick`."""
    interval = Interval.read(cron)
    until = until.astimezone(UTC).replace(microsecond=0)
    try:
        if interval is not None:
            return interval.until(until)
        expression, clock = CronExpression.read(cron), WallClock.of(timezone)
        if expression.every_hour:
            return _last_shown(expression, clock, until)
        time = expression.until(clock.reached(until))
        return None if time is None else clock.first_at(time)
    except OverflowError:  # before the calendar's first year
        return None


def due_now(
    cron: str, timezone: str, first: datetime, now: datetime, missed: Missed, *, grace: float
) -> list[datetime]:
    """Which ticks to run at ``now``, of those from ``first``, which is due, on; the oldest first.

    A tick is missed when ``grace`` seconds have passed since. They are sought from ``now`` back, so
    that it takes no longer however many were missed.
    """
    latest = _latest(cron, timezone, first, now)
    if missed is Missed.ALL:
        return list(islice(latest, MOST_MISSED))[::-1]
    newest = next(latest)
    on_time = [newest] if (now - newest).total_seconds() <= grace else []
    if on_time:
        on_time += takewhile(lambda tick: (now - tick).total_seconds() <= grace, latest)
    if missed is Missed.ONCE and not on_time:
        return [newest]
    return on_time[::-1]


def _latest(cron: str, timezone: str, first: datetime, now: datetime) -> Iterator[datetime]:
    """The ticks from ``now`` back to ``first``, which counts as one whatever the cron says now."""
    tick = last_tick(cron, timezone, now)
    while tick is not None and tick > first:
        yield tick
        tick = last_tick(cron, timezone, tick - SECOND)
    yield first


def _next_shown(expression: CronExpression, clock: WallClock, after: datetime) -> datetime | None:
    """The next instant at which the clock shows a time of the expression: from one change of the clock
    to the next, times are a fixed offset away from instants.
    """
    start = after + SECOND
    while True:
        time = expression.after(clock.shows(start) - SECOND)
        if time is None:
            return None
        change = clock.change_within(start, start + 2 * _DAY)
        tick = (time - clock.offset(start)).replace(tzinfo=UTC)
        if tick < (change or start + 2 * _DAY):
            return tick
        # Clocks are never put back by a day, so nothing that was shown more than a day ago comes again.
        start = change or max(start + _DAY, clock.first_at(time) - _DAY)


def _last_shown(expression: CronExpression, clock: WallClock, until: datetime) -> datetime | None:
    """As `_next_shown`, the other way."""
    end = until
    while True:
        time = expression.until(clock.shows(end))
        if time is None:
            return None
        change = clock.change_within(end - 2 * _DAY, end)
        tick = (time - clock.offset(end)).replace(tzinfo=UTC)
        if tick >= (change or end - 2 * _DAY):
            return tick
        end = change - SECOND if change else min(end - _DAY, clock.first_at(time) + _DAY)
