"""Bounds the questions that an attempt asks people, and tells one question from another. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = [
    "MAX_ANSWERS",
    "MAX_ANSWER_BYTES",
    "MAX_QUESTION_BYTES",
    "MAX_QUESTION_ID",
    "choices_of",
    "digest",
]

MAX_QUESTION_ID = 64
"""Characters."""

MAX_QUESTION_BYTES = 16 * 1024
"""Of JSON; likewise of the schema for its answer."""

MAX_ANSWER_BYTES = 16 * 1024
"""Of JSON. Answers go with the task's message to the attempts that follow."""

MAX_ANSWERS = 32
"""Answers that a generation of a task keeps: who asks more often gives up the oldest."""


def digest(question: Any) -> str:
    """The same for the same JSON, whatever the order of its keys: 32 hexadecimal digits."""
    text = json.dumps(question, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def choices_of(question: Any) -> list[Any] | None:
    """All the answers there are, where the question names them."""
    choices = question.get("choices") if isinstance(question, dict) else None
    return choices if isinstance(choices, list) and choices else None
