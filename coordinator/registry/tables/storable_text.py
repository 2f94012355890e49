"""Replaces the characters of a text that some database does not take.

PostgreSQL takes no NUL and no database takes half a surrogate pair. JSON has its own way of writing
them and comes back as it went; only words that stand in a column by themselves are concerned.
"""

from __future__ import annotations

__all__ = ["is_storable", "storable"]


def is_storable(value: str) -> bool:
    """Whether every database takes it as it is."""
    return storable(value) == value


def storable(value: str) -> str:
    """With a replacement character for each that cannot be stored."""
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    if value.isascii():
        return value
    return value.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
