"""Answers a prompt truly where no model is configured: with figures about the prompt itself."""

from __future__ import annotations

from typing import Any

from consumers.examples.documents.text_splitting import content_words, sentences, words

__all__ = ["NO_MODEL", "about_prompt"]

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
