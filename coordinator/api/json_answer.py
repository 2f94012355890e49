"""How answers are written: JSON in one pass, instants with their offset."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi.responses import JSONResponse
from pydantic_core import to_json

__all__ = ["JsonAnswer", "iso", "timestamp"]


class JsonAnswer(JSONResponse):
    """A dictionary as JSON, written by pydantic's core: several times faster than `json`."""

    def render(self, content: Any) -> bytes:
        return to_json(content, inf_nan_mode="null")


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with its offset: `2026-01-31T12:00:00.123456+00:00`."""
    return instant.astimezone(UTC).isoformat()


def timestamp() -> str:
    """The present, for the `timestamp` of an answer."""
    return iso(datetime.now(UTC))
