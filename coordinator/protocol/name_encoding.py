"""Encodes identifiers that people choose as words of queue names and routing keys.

A word holds only ``[A-Za-z0-9_-]``, so that it is one word of a routing key and needs no escaping
in a permission's regular expression. Any other character is written as ``__XX``, the hexadecimal of
its UTF-8 bytes. An underscore stands for itself unless that would read as the start of an escape.
Two different identifiers never give the same word.
"""

from __future__ import annotations

import hashlib
import string
from functools import lru_cache

__all__ = ["BROKER_AUTHOR", "COORDINATOR_AUTHOR", "DEAD_LETTER_KEY", "encode_word"]

COORDINATOR_AUTHOR = "~coordinator"
"""The author's word in the routing key of an event that a coordinator states. No agent id
encodes to it."""

BROKER_AUTHOR = "~broker"
"""The author's word in the routing key of a task that the broker dead-lettered."""

DEAD_LETTER_KEY = f"task.{BROKER_AUTHOR}.dead-lettered"
"""The routing key with which a task that its queue gave up goes to `coordinator.events`."""

MAX_WORD = 100
"""Characters; a longer word keeps its beginning and ends in a hash, so that every name stays below
the 255 bytes that AMQP allows."""

REMEMBERED_WORDS = 10_000
"""The author's word of every event is made again when it is read: a few agents tell most of them."""

_PLAIN = frozenset(string.ascii_letters + string.digits + "-")


@lru_cache(REMEMBERED_WORDS)
def encode_word(identifier: str) -> str:
    """Return ``identifier`` as one word of ``[A-Za-z0-9_-]``, at most `MAX_WORD` characters
    long.
    """
    out: list[str] = []
    last = len(identifier) - 1
    for position, char in enumerate(identifier):
        if char in _PLAIN or (
            char == "_" and position < last and identifier[position + 1] in _PLAIN
        ):
            out.append(char)
        else:
            out.extend(f"__{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
    word = "".join(out)
    if len(word) <= MAX_WORD:
        return word
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"{word[: MAX_WORD - 35]}__h{digest}"
