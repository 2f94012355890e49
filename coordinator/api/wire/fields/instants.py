"""Instants in requests: RFC 3339, always with an offset."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from coordinator.errors import InvalidRequest

__all__ = ["instant"]

_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def instant(text: str | None, field: str) -> datetime | None:
    """Raises `InvalidRequest`."""
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
