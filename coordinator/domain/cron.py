"""When a recurring schedule is due. Pure; the expression is read by the library cronsim.

Five fields (minute, hour, day of month, month, day of week), or six with seconds in front. In the
schedule's own time zone: at the changes of the clock a time that does not exist is run at the next
minute that does, and one that comes twice is run once, as Debian's cron does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from coordinator.errors import InvalidRequest

__all__ = ["MOST_MISSED", "Missed", "check_cron", "due_now", "next_tick"]

MOST_MISSED = 100
"""Missed ticks that are run for one schedule after an outage, where all of them are wanted."""


class Missed(StrEnum):
    """What becomes of ticks that passed while no coordinator ran."""

    SKIP = "skip"
    """Nothing: the next tick is the next run."""
    ONCE = "once"
    """One run, for the latest of them."""
    ALL = "all"
    """One run for each of them, the latest hundred at most."""


def check_cron(cron: str, timezone: str) -> None:
    """Raises `InvalidRequest` for what cannot be read, or never comes."""
    zone = _zone(timezone)
    try:
        next(CronSim(cron, datetime.now(zone)))
    except CronSimError as exc:
        raise InvalidRequest(
            f"cron {cron!r} cannot be read ({exc}): write five fields, such as '30 3 * * 1-5'",
            field="cron",
        ) from exc
    except StopIteration:
        raise InvalidRequest(f"cron {cron!r} never comes", field="cron") from None


def next_tick(cron: str, timezone: str, after: datetime) -> datetime | None:
    """The first tick after an instant, in UTC; None where there is none within fifty years."""
    return next(_ticks(cron, timezone, after), None)


def due_now(
    cron: str, timezone: str, first: datetime, now: datetime, missed: Missed, *, grace: float
) -> list[datetime]:
    """Which ticks to run at ``now``, of those from ``first``, which is due, on; the oldest first.

    A tick is missed when ``grace`` seconds have passed since.
    """
    ticks = [first]
    for tick in _ticks(cron, timezone, first):
        if tick > now:
            break
        ticks = [*ticks, tick][-MOST_MISSED:]
    on_time = [tick for tick in ticks if (now - tick).total_seconds() <= grace]
    match missed:
        case Missed.SKIP:
            return on_time
        case Missed.ONCE:
            return on_time or ticks[-1:]
        case Missed.ALL:
            return ticks


def _ticks(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    zone = _zone(timezone)
    for tick in CronSim(cron, after.astimezone(zone)):
        yield tick.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        raise InvalidRequest(
            f"timezone {name!r} is not known: write a name such as 'Europe/Vienna', or 'UTC'",
            field="timezone",
        ) from exc
