"""Reads the values of arguments, and refuses wrong ones with what to give instead."""

from __future__ import annotations

import argparse
import math
import sys
from datetime import UTC, datetime, timedelta

__all__ = ["count", "instant", "metadata_pair", "seconds", "whole_seconds"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def count(text: str) -> int:
    """A whole number, 1 or more."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if not 1 <= value <= sys.maxsize:
        raise argparse.ArgumentTypeError(f"{text!r} is no count: give a whole number, 1 or more")
    return value


def seconds(text: str) -> float:
    """`30`, `1.5`, `90s`, `10m`, `2h`, `7d`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    try:
        value = float(number) * _UNITS[unit]
    except ValueError:
        value = -1.0
    if not math.isfinite(value) or value < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: give 30, 90s, 10m, 2h or 7d")
    return value


def whole_seconds(text: str) -> int:
    """As `seconds`, but for parts of one, and none at all."""
    value = seconds(text)
    if value < 1 or not value.is_integer():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of whole seconds: give 1 or more")
    return int(value)


def instant(text: str) -> datetime:
    """An ISO 8601 instant, of this machine's time zone where it has no offset; or so long ago: `10m`."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.now(UTC) - timedelta(seconds=seconds(text))
    except (argparse.ArgumentTypeError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no instant: give 2026-01-31T12:00, with or without an offset such as +01:00,"
            " or how long ago: 90s, 10m, 2h, 7d"
        ) from None


def metadata_pair(text: str) -> tuple[str, str]:
    """`NAME=VALUE`."""
    key, sign, value = text.partition("=")
    if not key or not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=VALUE")
    return key, value
