"""Writes and reads intervals, of schedules that are due every so many seconds. Knows no time zone; pure.

A schedule keeps its interval where others keep a cron expression, which never begins with `@`. A coordinator
that knows none sets such a schedule aside, as it does with every expression that it cannot read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from coordinator.errors import InvalidRequest

__all__ = ["LONGEST", "Interval"]

LONGEST = 366 * 86400
"""Seconds."""

_WRITTEN = re.compile(r"@every ([1-9][0-9]{0,8}) from (\S{20,40})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Is due ``seconds`` after ``start``, and again and again after as many."""

    seconds: int
    start: datetime
    """In UTC, to the second."""

    @classmethod
    def begun(cls, seconds: int, now: datetime) -> Interval:
        """One that begins now."""
        return cls(seconds=seconds, start=now.astimezone(UTC).replace(microsecond=0))

    @classmethod
    def read(cls, text: str) -> Interval | None:
        """None for what is no interval. Raises `InvalidRequest` for one that is not as `text` writes it."""
        if not text.startswith("@every "):
            return None
        found = _WRITTEN.fullmatch(text)
        try:
            if found is None:
                raise ValueError(text)
            start = datetime.fromisoformat(found[2]).astimezone(UTC)
        except (ValueError, OverflowError) as exc:
            raise InvalidRequest(f"the interval {text!r} cannot be read", field="cron") from exc
        return cls(seconds=int(found[1]), start=start)

    @property
    def text(self) -> str:
        """As it is kept."""
        return f"@every {self.seconds} from {self.start.isoformat()}"

    def is_as_long_as(self, text: str) -> bool:
        """Whether ``text`` is an interval of as many seconds, whenever it began."""
        try:
            other = Interval.read(text)
        except InvalidRequest:
            return False
        return other is not None and other.seconds == self.seconds

    def after(self, instant: datetime) -> datetime:
        """The first tick after ``instant``. Raises `OverflowError` beyond the calendar's last year."""
        return self._tick(max(0, self._number(instant)) + 1)

    def until(self, instant: datetime) -> datetime | None:
        """The last tick before ``instant``, or at it; None before the first."""
        number = self._number(instant)
        return None if number < 1 else self._tick(number)

    def _number(self, instant: datetime) -> int:
        """How many times the interval has passed by then; negative before the start."""
        return (instant - self.start) // timedelta(seconds=self.seconds)

    def _tick(self, number: int) -> datetime:
        return self.start + timedelta(seconds=self.seconds * number)
