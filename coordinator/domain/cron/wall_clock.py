"""Converts between UTC and the wall clock of a time zone, its changes included. Pure; whole seconds.

An instant is in UTC. What a clock shows is a datetime without a zone, and is shown once as a rule:

    put forward   02:00 ─▶ 03:00    02:30 is never shown
    put back      03:00 ─▶ 02:00    02:30 is shown twice
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from coordinator.errors import InvalidRequest

__all__ = ["SECOND", "WallClock", "check_timezone"]

SECOND = timedelta(seconds=1)

_NOT_PLACES = frozenset({"Factory"})
"""Names of the list of zones that stand for a machine that has not been set up."""


def check_timezone(name: str) -> None:
    """Refuse what is not a zone of the IANA's list. Names that only some machines have, such as
    `localtime` or `posix/Europe/Vienna`, would mean other times on others. Raises `InvalidRequest`.
    """
    if name not in _names():
        raise _unknown(name)
    WallClock.of(name)


@dataclass(frozen=True, slots=True)
class WallClock:
    zone: ZoneInfo

    @classmethod
    def of(cls, name: str) -> WallClock:
        """Raises `InvalidRequest` for a zone of which this machine has no data."""
        try:
            return cls(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
            raise _unknown(name) from exc

    def shows(self, instant: datetime) -> datetime:
        """What the clock on the wall shows at ``instant``, without a zone."""
        return instant.astimezone(self.zone).replace(tzinfo=None, fold=0)

    def offset(self, instant: datetime) -> timedelta:
        """What is added to UTC then."""
        return self.shows(instant) - instant.replace(tzinfo=None)

    def first_at(self, shown: datetime) -> datetime:
        """When this is shown for the first time; where it never is, when a later time is."""
        one = shown.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        other = shown.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        return one if one <= other else self._change(other, one)

    def reached(self, instant: datetime) -> datetime:
        """The latest time that has been shown by then: while some are shown again, the last of them.
        So it never goes back, and `first_at` of it is never later than ``instant``.
        """
        now = instant.astimezone(self.zone)
        if not now.fold:
            return now.replace(tzinfo=None)
        again = self.first_at(now.replace(tzinfo=None, fold=0))
        return self.shows(self._change(again, instant) - SECOND)

    def change_within(self, start: datetime, end: datetime) -> datetime | None:
        """The instant after ``start``, up to ``end``, from which on another offset holds; None for
        none. Clocks are taken to be changed once in this time.
        """
        return None if self.offset(start) == self.offset(end) else self._change(start, end)

    def _change(self, before: datetime, after: datetime) -> datetime:
        """The offset of ``before`` does not hold at ``after``: where the change is, to the second."""
        offset, span = self.offset(before), (after - before) // SECOND
        changed = bisect_left(
            range(1, span), True, key=lambda past: self.offset(before + past * SECOND) != offset
        )
        return before + (1 + changed) * SECOND


def _unknown(name: str) -> InvalidRequest:
    return InvalidRequest(
        f"timezone {name!r} is not known: write a name such as 'Europe/Vienna', or 'UTC'",
        field="timezone",
    )


@cache
def _names() -> frozenset[str]:
    """All zones and their older names, as the package `tzdata` lists them."""
    listed = (files("tzdata") / "zones").read_text(encoding="utf-8")
    return frozenset(listed.split()) - _NOT_PLACES
