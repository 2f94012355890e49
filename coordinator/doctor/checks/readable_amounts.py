"""Writes sizes, times, counts and lists as sentences say them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

__all__ = ["count", "names", "size", "span"]

SHOWN = 5
"""Names of a list; the rest are counted."""


def size(amount: int) -> str:
    """Such as `512 MB`; decimal, as disks are sold and RabbitMQ is configured."""
    value = float(amount)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def span(time: timedelta) -> str:
    """Such as `90 s`, `30 min`, `2 h` or `7 days`."""
    seconds = max(0.0, time.total_seconds())
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.3g} {unit}"
    return f"{seconds:.3g} s"


def count(amount: int, one: str, more: str | None = None) -> str:
    """Such as `1 task` or `12 000 tasks`."""
    return f"{amount:,}".replace(",", " ") + " " + (one if amount == 1 else more or f"{one}s")


def names(found: Sequence[str]) -> str:
    """Such as `a, b and 3 more`."""
    if len(found) <= SHOWN:
        return ", ".join(found)
    return f"{', '.join(found[:SHOWN])} and {len(found) - SHOWN} more"
