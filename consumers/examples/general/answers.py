"""True answers to whatever arrives: from a model if one is configured, else figures about it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from consumers.examples.documents.text import content_words, sentences, words

__all__ = ["NO_MODEL", "about_data", "about_prompt"]

NO_MODEL = (
    "No model has seen this prompt, because no inference endpoint is configured (OPENAI_BASE_URL). "
    "What follows are figures about the prompt itself."
)

_ASKING = frozenset(
    {"what", "why", "how", "who", "when", "where", "which", "is", "are", "can", "do"}
)
CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English and the usual tokenizers."""


def about_prompt(prompt: str, model: str | None) -> dict[str, Any]:
    """How long a prompt is, what it is about, and whether it asks."""
    found = words(prompt)
    first = found[0].lower() if found else ""
    subject = sorted(set(content_words(prompt)), key=lambda word: (-len(word), word))
    return {
        "answered_by": "text analysis",
        "note": NO_MODEL,
        "model_asked_for": model,
        "characters": len(prompt),
        "words": len(found),
        "sentences": len(sentences(prompt)),
        "tokens_estimated": -(-len(prompt) // CHARACTERS_PER_TOKEN),
        "is_question": prompt.rstrip().endswith("?") or first in _ASKING,
        "subject": subject[:5],
    }


def about_data(data: dict[str, Any]) -> dict[str, Any]:
    """The shape and the checksum of data that names neither a kind of work nor a prompt."""
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return {
        "answered_by": "data analysis",
        "note": "This task has neither a task_type nor a prompt; its data was measured.",
        "keys": {key: type(value).__name__ for key, value in sorted(data.items())},
        "values": _leaves(data),
        "depth": _depth(data),
        "bytes": len(text.encode()),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def _children(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _leaves(value: object) -> int:
    if isinstance(value, dict | list):
        return sum(_leaves(child) for child in _children(value))
    return 1


def _depth(value: object) -> int:
    if isinstance(value, dict | list):
        return 1 + max((_depth(child) for child in _children(value)), default=0)
    return 0
