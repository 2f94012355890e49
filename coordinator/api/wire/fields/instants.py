"""Reads and writes instants: RFC 3339, always with an offset."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from coordinator.errors import InvalidRequest

__all__ = ["InstantText", "instant", "iso", "iso_or_none", "timestamp"]

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)

InstantText = Annotated[
    str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-01-31T12:00:00Z"])
]
"""RFC 3339 with an offset; read by `instant`, which says so where it is anything else."""


def instant(text: str | None, field: str) -> datetime | None:
    """The instant that ``text``, the value of ``field``, is; None for None. Raises `InvalidRequest`."""
    if text is None:
        return None
    if _RFC_3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise InvalidRequest(
        f"{field} must be an instant with its offset, such as 2026-01-31T12:00:00Z", field=field
    )


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with its offset: `2026-01-31T12:00:00.123456+00:00`."""
    return (instant if instant.tzinfo is UTC else instant.astimezone(UTC)).isoformat()


def iso_or_none(instant: datetime | None) -> str | None:
    """As `iso`; None for None."""
    return None if instant is None else iso(instant)


def timestamp() -> str:
    """The present, for the `timestamp` of an answer."""
    return iso(datetime.now(UTC))
