"""Bounds how much of a page is read from the ledger: as many of its first rows as hold so many bytes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

__all__ = ["MOST_READ", "length_of", "that_fit"]

MOST_READ = 16 * 1024 * 1024
"""Characters of the texts of one page: an agent's error may have as many bytes as a message, in each row."""


def length_of(*columns: sa.Column[Any]) -> sa.ColumnElement[int]:
    """Characters of these texts of a row together, called `length`. The database tells it without handing
    them over.
    """
    lengths = (sa.func.coalesce(sa.func.length(column), 0) for column in columns)
    return sum(lengths, start=sa.literal(0)).label("length")


def that_fit(lengths: Iterable[int], most: int = MOST_READ) -> int:
    """How many of the first are ``most`` together; one at least, where there is one."""
    fit = read = 0
    for length in lengths:
        read += length
        if fit and read > most:
            break
        fit += 1
    return fit
