"""Splits text into paragraphs, sentences, words and syllables. English, by rule and not by dictionary."""

from __future__ import annotations

import re

__all__ = ["content_words", "paragraphs", "sentences", "syllables", "title", "words"]

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'\u201d\u2019)]*\s+(?=[\"'\u201c\u2018(]?[A-Z0-9])")
_ABBREVIATION = re.compile(r"\b(?:Mr|Mrs|Ms|Dr|Prof|St|vs|e\.g|i\.e|etc|cf|No|[A-Z])\.$")
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
_MARKUP = re.compile(r"[*`>|]+|\[([^\]]*)\]\([^)]*\)")
_VOWELS = re.compile(r"[aeiouy]+")

_STOP_WORDS = """
a about after again against all also although always am an and another any anybody anything are
as at away back be because been before being best better between both but by came can cannot
come could did do does doing done down each either else enough even ever every everybody
everything few first for from further gave get give given go goes going gone good had has have
he her here hers him his how however i if in into is it its itself just keep kept know last
least less let like little long longer made make many may me might mind more most much must my
myself never new next no nobody none nor not nothing now of off often on once one only or other
others ought our out over own put same say says second see seen shall she should simply since so
some somebody something soon still such take tell than that the their them then there these they
thing things third this those though three through to together too two under until up upon us
very was way we well went were what whatever when where whether which while who whoever whom
whose why will with within without word would yet you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say nothing about a text's subject."""


def title(text: str) -> str | None:
    """The first Markdown heading."""
    found = _HEADING.search(text)
    return found.group(1) if found else None


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines, without headings and Markdown marks, each on one line."""
    plain = _MARKUP.sub(lambda found: found.group(1) or " ", _HEADING.sub("", text))
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", plain))
    return [block for block in blocks if block]


def sentences(text: str) -> list[str]:
    """Sentences in order; a paragraph's end ends one, too."""
    found: list[str] = []
    for paragraph in paragraphs(text):
        held = ""
        for part in _SENTENCE_END.split(paragraph):
            held = f"{held} {part}" if held else part
            if not _ABBREVIATION.search(held):
                found.append(held)
                held = ""
        if held:
            found.append(held)
    return found


def words(text: str) -> list[str]:
    """Words as written; numbers are not words."""
    return _WORD.findall(text)


def content_words(text: str) -> list[str]:
    """Words in lower case, without those that say nothing about the subject."""
    folded = (word.lower().replace("\u2019", "'") for word in words(text))
    return [word for word in folded if len(word) > 2 and word not in STOP_WORDS]


def syllables(word: str) -> int:
    """Groups of vowels, less a silent final e; right for about nine English words in ten."""
    folded = word.lower()
    count = len(_VOWELS.findall(folded))
    if folded.endswith("e") and not folded.endswith(("le", "ee", "ye")) and count > 1:
        count -= 1
    if folded.endswith("ed") and not folded.endswith(("ted", "ded")) and count > 1:
        count -= 1
    return max(count, 1)
