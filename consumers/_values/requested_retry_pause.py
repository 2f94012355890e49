"""Reads how long a handler asks to wait before the next attempt, in any of the usual forms."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import SupportsFloat

from .handler_limits import LONGEST

__all__ = ["Pause", "pause_of"]

Pause = SupportsFloat | str | timedelta
"""Seconds as a number or as text, a `timedelta`, or the instant of a `Retry-After` header."""


def _now() -> datetime:
    return datetime.now(UTC)


def pause_of(asked: object, *, now: Callable[[], datetime] = _now) -> timedelta | None:
    """From zero, which a time in the past is taken as, to `LONGEST`. None stays None. ``now`` is asked where
    an instant is given.

    Raises `ValueError` or `TypeError` for what is no time, and whatever the object itself raises.
    """
    if asked is None:
        return None
    seconds = _seconds(asked, now)
    if not math.isfinite(seconds):
        raise ValueError("a number of seconds must be finite")
    return timedelta(seconds=max(0.0, min(LONGEST, seconds)))


def _seconds(asked: object, now: Callable[[], datetime]) -> float:
    if isinstance(asked, timedelta):
        return asked.total_seconds()
    if isinstance(asked, str):
        return _seconds_in(asked, now)
    if isinstance(asked, int):
        return float(max(-1, min(math.ceil(LONGEST), asked)))  # any number of digits
    return float(asked)  # type: ignore[arg-type]  # raises TypeError where it is no number


def _seconds_in(text: str, now: Callable[[], datetime]) -> float:
    try:
        return float(text)
    except ValueError:
        instant = parsedate_to_datetime(text)  # a ValueError of its own
    if instant.tzinfo is None:  # "-0000", which says that the place is not known
        instant = instant.replace(tzinfo=UTC)
    return (instant - now()).total_seconds()
