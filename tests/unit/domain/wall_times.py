"""When a schedule is due, found slowly: a table of every minute, or second, that a clock shows.

It shares nothing with what it is compared to. What an expression means is given beside it, as sets; the
offsets of a zone are looked up at every quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

__all__ = ["Meaning", "Stretch", "stretches", "ticks"]

ALL_HOURS = frozenset(range(24))
QUARTER = timedelta(minutes=15)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    hours: frozenset[int] = ALL_HOURS
    minutes: frozenset[int]
    seconds: frozenset[int] = frozenset({0})
    day: Callable[[date], bool] = lambda _: True

    def has(self, time: datetime) -> bool:
        return (
            time.hour in self.hours
            and time.minute in self.minutes
            and time.second in self.seconds
            and self.day(time.date())
        )


@dataclass(frozen=True)
class Stretch:
    """While it lasts, the clocks of a zone are this much ahead of UTC."""

    start: datetime
    end: datetime
    offset: timedelta


def stretches(zone: str, start: datetime, end: datetime) -> list[Stretch]:
    quarters = range((end - start) // QUARTER)
    offsets = [
        (start + n * QUARTER, (start + n * QUARTER).astimezone(ZoneInfo(zone)).utcoffset())
        for n in quarters
    ]
    begun = [offsets[0]] + [two for one, two in pairwise(offsets) if one[1] != two[1]]
    ends = [instant for instant, _ in begun[1:]] + [end]
    return [
        Stretch(since, until, offset)
        for (since, offset), until in zip(begun, ends, strict=True)
        if offset is not None
    ]


def ticks(meaning: Meaning, shown: list[Stretch], step: timedelta) -> Iterator[datetime]:
    """Every instant, ``step`` by ``step``, at which it is due by the rule of `domain.cron.ticks`."""
    reached: datetime | None = None
    for stretch in shown:
        time = _plain(stretch.start + stretch.offset)
        last = _plain(stretch.end + stretch.offset)
        by_hour = meaning.hours != ALL_HOURS
        left_out = by_hour and reached is not None and _any(meaning, reached, time, step)
        while time < last:
            again = by_hour and reached is not None and time < reached
            if left_out or (not again and meaning.has(time)):
                yield (time - stretch.offset).replace(tzinfo=UTC)
            left_out = False
            time += step
        reached = last if reached is None else max(reached, last)


def _any(meaning: Meaning, start: datetime, end: datetime, step: timedelta) -> bool:
    return any(meaning.has(start + n * step) for n in range((end - start) // step))


def _plain(instant: datetime) -> datetime:
    return instant.replace(tzinfo=None)
