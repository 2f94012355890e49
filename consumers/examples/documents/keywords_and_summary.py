"""Finds the keywords of a text beside other texts, and its own best sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from .text_splitting import content_words, sentences

__all__ = ["keywords", "summary"]


def keywords(text: str, others: Iterable[str], count: int = 10) -> dict[str, float]:
    """The words that are frequent here and rare in ``others``, with their weight (TF-IDF)."""
    here = Counter(content_words(text))
    if not here:
        return {}
    vocabularies = [set(content_words(other)) for other in others]
    total = sum(here.values())

    def weight(word: str) -> float:
        holding = sum(word in vocabulary for vocabulary in vocabularies)
        return here[word] / total * (1 + math.log((1 + len(vocabularies)) / (1 + holding)))

    best = sorted(here, key=lambda word: (-weight(word), word))[:count]
    return {word: round(weight(word), 5) for word in best}


def summary(text: str, count: int = 3) -> list[str]:
    """The ``count`` sentences that share most words with the whole, in the order of the text.

    A sentence's score is the mean frequency of its content words, each counted once. Very short
    sentences are left out, because a mean over two words says little.
    """
    every = sentences(text)
    frequency = Counter(content_words(text))
    scores: list[tuple[float, int]] = []
    for position, sentence in enumerate(every):
        subject = set(content_words(sentence))
        if len(subject) >= 4:
            mean = sum(frequency[word] for word in subject) / len(subject)
            scores.append((mean * (1.2 if position == 0 else 1.0), position))
    best = sorted(scores, key=lambda score: (-score[0], score[1]))[:count]
    return [every[position] for _, position in sorted(best, key=lambda score: score[1])]
