"""Writes instants, spans and values as short texts, with nothing in them that a terminal would act on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.log_lines import printable

__all__ = ["NONE", "age", "as_json", "instant_text", "one_line", "several_lines", "span_text"]

NONE = "-"
"""What a column has where there is nothing: no column is ever empty."""


def one_line(value: object) -> str:
    """Any text, on one line."""
    return printable(str(value)) if value not in (None, "") else NONE


def several_lines(text: str) -> str:
    """A text whose line breaks and tabs stay."""
    return "\n".join(
        "\t".join(printable(part) for part in line.split("\t")) for line in text.split("\n")
    )


def as_json(value: Any) -> str:
    """On one line; letters of all languages stay as they are."""
    return printable(json.dumps(value, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def instant_text(instant: datetime | None) -> str:
    """In this machine's time zone, to the second."""
    return NONE if instant is None else instant.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def age(instant: datetime | None, now: datetime | None = None) -> str:
    """How long ago it was; 0 where clocks differ and it is still to come."""
    if instant is None:
        return NONE
    return span_text(max((now or datetime.now(UTC)) - instant, timedelta()))


def span_text(span: timedelta | float | None) -> str:
    """Such as `29 ms`, `1.7 s`, `12 min`, `5 h`, `3 d`; a number is seconds."""
    if span is None:
        return NONE
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    if minutes < 99.5:
        return f"{minutes:.0f} min"
    hours = minutes / 60
    return f"{hours:.0f} h" if hours < 47.5 else f"{hours / 24:.0f} d"
