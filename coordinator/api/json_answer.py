"""Writes answers as JSON in one pass."""

from __future__ import annotations

from typing import Any

from fastapi.responses import JSONResponse
from pydantic_core import to_json

__all__ = ["JsonAnswer"]


class JsonAnswer(JSONResponse):
    """Writes a dictionary as JSON by pydantic's core: several times faster than `json`. Keeps the dictionary
    as ``content``.
    """

    content: Any = None

    def render(self, content: Any) -> bytes:
        self.content = content
        return to_json(content, inf_nan_mode="null")
