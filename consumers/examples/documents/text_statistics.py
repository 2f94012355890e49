"""Measures one text: its size, and how hard it is to read."""

from __future__ import annotations

from collections import Counter
from typing import Any

from .text_splitting import paragraphs, sentences, syllables, words

__all__ = ["readability", "word_count"]

WORDS_PER_MINUTE = 230
"""A usual pace for reading English prose silently."""


def word_count(text: str) -> dict[str, Any]:
    """How much text there is, and the words that occur most."""
    found = words(text)
    folded = Counter(word.lower() for word in found)
    return {
        "characters": len(text),
        "lines": len(text.splitlines()),
        "paragraphs": len(paragraphs(text)),
        "sentences": len(sentences(text)),
        "words": len(found),
        "different_words": len(folded),
        "most_common": dict(folded.most_common(10)),
    }


def readability(text: str) -> dict[str, Any]:
    """Flesch reading ease (100 is easiest), Flesch-Kincaid grade (years of school), and parts.

    Raises `ValueError` for a text without a sentence.
    """
    found = words(" ".join(paragraphs(text)))
    count = len(sentences(text))
    if not found or not count:
        raise ValueError("There is no sentence in this text to measure")
    spoken = [syllables(word) for word in found]
    per_sentence = len(found) / count
    per_word = sum(spoken) / len(found)
    ease = 206.835 - 1.015 * per_sentence - 84.6 * per_word
    return {
        "words_per_sentence": round(per_sentence, 2),
        "syllables_per_word": round(per_word, 3),
        "long_words_percent": round(100 * sum(size > 2 for size in spoken) / len(found), 1),
        "flesch_reading_ease": round(ease, 1),
        "flesch_kincaid_grade": round(0.39 * per_sentence + 11.8 * per_word - 15.59, 1),
        "verdict": _verdict(ease),
        "minutes_to_read": round(len(found) / WORDS_PER_MINUTE, 1),
    }


def _verdict(ease: float) -> str:
    for floor, verdict in ((80, "easy"), (60, "plain"), (50, "fairly hard"), (30, "hard")):
        if ease >= floor:
            return verdict
    return "very hard"
