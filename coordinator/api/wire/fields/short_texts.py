"""Cuts the texts of agents in lists, where each of many entries has some; the whole is with the entry."""

from __future__ import annotations

from typing import Any

__all__ = ["LONGEST", "short", "shortened"]

LONGEST = 1000
"""Characters."""


def short(text: str) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\u2026"


def shortened(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """An error or a progress whose texts are `short`."""
    if told is None:
        return None
    return {name: short(one) if isinstance(one, str) else one for name, one in told.items()}
