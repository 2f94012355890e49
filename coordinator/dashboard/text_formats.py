"""Writes instants, durations, numbers and JSON as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

__all__ = [
    "NONE",
    "age",
    "clock_time",
    "count",
    "duration",
    "pretty_json",
    "seconds_between",
    "short",
]

NONE = "\N{EN DASH}"

MINUTE, HOUR, DAY = 60, 3600, 86400

_UNITS = (("d", DAY, HOUR, "h"), ("h", HOUR, MINUTE, "min"), ("min", MINUTE, 1, "s"))

FEW = 10
"""Minutes, hours or days below which the next smaller unit is told as well."""


def duration(seconds: float | None) -> str:
    """Rounded, such as `250 ms`, `2.5 s`, `12 s`, `3 min 20 s`, `14 min`, `3 d 4 h`; a dash for None."""
    if seconds is None:
        return NONE
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "< 1 ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    return _whole(round(seconds), few=FEW)


def _whole(seconds: int, few: int = 0) -> str:
    """With the next smaller unit where there are fewer than ``few`` of the larger one."""
    for unit, size, smaller, name in _UNITS:
        large, rest = divmod(seconds, size)
        if large:
            small = rest // smaller
            return f"{large} {unit} {small} {name}" if small and large < few else f"{large} {unit}"
    return f"{seconds} s"


def age(instant: datetime | None, now: datetime | None = None) -> str:
    """How long ago it was, or in how long it will be, in one unit."""
    if instant is None:
        return NONE
    seconds = ((now or datetime.now(UTC)) - instant).total_seconds()
    if abs(seconds) < 1:
        return "now"
    told = _whole(int(abs(seconds)))
    return f"{told} ago" if seconds > 0 else f"in {told}"


def clock_time(instant: datetime | None) -> str:
    """In UTC, with milliseconds."""
    if instant is None:
        return NONE
    told = instant.astimezone(UTC)
    return f"{told:%Y-%m-%d %H:%M:%S}.{told.microsecond // 1000:03d} UTC"


def count(number: float | None) -> str:
    """With narrow spaces between thousands."""
    return NONE if number is None else f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def pretty_json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def short(value: Any, most: int = 80) -> str:
    """One line of at most so many characters."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """None where one of them is."""
    return None if start is None or end is None else (end - start).total_seconds()
