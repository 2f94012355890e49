"""Reads an instant as clients of any language write it: RFC 3339, or a number since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

__all__ = ["instant"]

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9990, 1, 1, tzinfo=UTC)
"""Before and from here on a time is what a client writes that knows none: Go's zero and the least and the
greatest of .NET are such. A sum with it, or its hour in another zone, would leave the calendar.
"""

_MILLISECONDS = 100_000_000_000
"""A number of a time from here on counts milliseconds, since 1973; below it seconds, until 5138."""

_RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:)60((?:\.\d+)?\s*(?:[Zz]|[+-]\d\d:\d\d)?)")
_NUMBER = re.compile(r"[0-9]{9,16}(?:\.[0-9]+)?")
"""Such a time as a text: STOMP has no other headers. Fewer digits are a date."""

_BEFORE_ZONE = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")


def instant(value: Any) -> datetime | None:
    """A time as text (RFC 3339), as milliseconds or seconds since 1970 (also as text), or as AMQP's own
    type; None for what is none, or is of no year in which anything happens.
    """
    try:
        if isinstance(value, str):
            value = float(value) if _NUMBER.fullmatch(value) else _parsed(value)
        if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
            value = float(value)
            seconds = value / 1000 if abs(value) >= _MILLISECONDS else value
            value = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    if not isinstance(value, datetime):
        return None
    value = value if value.tzinfo else value.replace(tzinfo=UTC)
    return value if EARLIEST <= value < LATEST else None


def _parsed(text: str) -> datetime:
    """Raises ValueError, or `OverflowError` for the last second of the calendar."""
    try:
        return datetime.fromisoformat(text)  # as nearly all are
    except ValueError:
        return _mended(text)


def _mended(text: str) -> datetime:
    """The same for a text with what other languages and leap seconds have in it."""
    text = _BEFORE_ZONE.sub("", text.strip())  # as Ruby writes a time
    leap = _RFC_3339.fullmatch(text)
    if leap is not None:
        return _parsed(f"{leap[1]}59{leap[2]}") + timedelta(seconds=1)
    return datetime.fromisoformat(text[:-1] + "Z" if text.endswith("z") else text)
