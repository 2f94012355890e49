"""Reads a cron expression, and finds the times that it names. Knows no time zone; pure.

The library cronsim reads the fields and walks the calendar. What it makes of the changes of clocks is
not used: `domain.cron.ticks` does that, in one way for five fields and for six.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cronsim import CronSim, CronSimError

from coordinator.errors import InvalidRequest

from .wall_clock import SECOND

__all__ = ["CronExpression"]

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_FIELDS = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day of month": "1 to 31, or L for the last day, LW for the last weekday",
    "month": "1 to 12, or JAN to DEC",
    "day of week": "0 to 7 (0 and 7 are Sunday), or SUN to SAT; 5L for the last Friday, 5#1 for the first",
}

_NOT_READ = (CronSimError, ValueError)
"""What the library raises: the latter for a number with more digits than Python reads."""

_ANY = datetime(2000, 1, 1)  # noqa: DTZ001 - an expression names times without a zone


@dataclass(frozen=True, slots=True)
class CronExpression:
    """Five fields, or six with seconds in front."""

    text: str
    every_hour: bool
    """Whether the field of the hour leaves out none."""

    @classmethod
    @lru_cache(maxsize=1024)
    def read(cls, text: str) -> CronExpression:
        """Raises `InvalidRequest` with what is wrong."""
        try:
            found = CronSim(text, _ANY)
        except _NOT_READ as exc:
            raise InvalidRequest(f"cron {text!r} {_why(text)}", field="cron") from exc
        return cls(text, every_hour=len(found.hours) == 24)

    def after(self, time: datetime) -> datetime | None:
        """The first time after this one; None where there is none within fifty years."""
        return _next(CronSim(self.text, time))

    def until(self, time: datetime) -> datetime | None:
        """The last time before this one, or this one; None as with `after`."""
        return _next(CronSim(self.text, time + SECOND, reverse=True))


def _next(times: CronSim) -> datetime | None:
    try:
        return next(times, None)
    except OverflowError:  # beyond the calendar's last year
        return None


def _why(text: str) -> str:
    fields = text.split()
    if text.lstrip().startswith("@"):
        known = _NICKNAMES.get(fields[0].lower())
        instead = "the times as five fields" if known is None else repr(known)
        return f"is a nickname, which is not read here: write {instead}"
    if len(fields) not in (5, 6):
        count = "one field" if len(fields) == 1 else f"{len(fields)} fields"
        return (
            f"has {count}: write five (minute, hour, day of month, month, day of week), such as"
            " '30 3 * * 1-5', or six with seconds in front"
        )
    names = list(_FIELDS)[-len(fields) :]
    for index, (name, field) in enumerate(zip(names, fields, strict=True)):
        alone = [field if place == index else "*" for place in range(len(fields))]
        if not _reads(" ".join(alone)):
            return f"cannot be read: {_wrong(name, field)}"
    return f"never comes: no month {fields[-2]!r} has a day {fields[-3]!r}"


def _reads(text: str) -> bool:
    try:
        CronSim(text, _ANY)
    except _NOT_READ:
        return False
    return True


def _wrong(name: str, field: str) -> str:
    if "?" in field:
        return f"{name} {field!r} is of another cron: write '*' for every one"
    return (
        f"{name} {field!r} must be '*' or {_FIELDS[name]}, in lists (1,15), in ranges upwards (1-5)"
        " or in steps (*/10)"
    )
