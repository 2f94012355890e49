"""Leaves out rows of the ledger that cannot be read, and logs each once.

Another version may have written it, or somebody by hand. Whoever reads many rows, at the start or in a
loop, goes on with the others, since one that ended the process would end it at each start.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import sqlalchemy as sa

__all__ = ["NOT_READ", "readable", "tell", "tell_again"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

NOT_READ = (ValueError, TypeError, LookupError, AttributeError, OverflowError)
"""What reading a row raises that holds what nobody expects; pydantic's errors are among them."""

MOST_TOLD = 10_000
"""Rows that are remembered as told: more of them are told again."""

_told: set[tuple[str, ...]] = set()


def readable(rows: Iterable[Any], read: Callable[[Any], T], table: sa.Table) -> Iterator[T]:
    """What ``read`` makes of each row, where it raises none of `NOT_READ`; ``rows`` have the primary key of
    ``table``.
    """
    for row in rows:
        try:
            value = read(row)
        except NOT_READ as exc:
            tell(table, row, exc)
        else:
            yield value


def tell_again() -> None:
    """A ledger is opened: what was told of the rows of another says nothing of its own."""
    _told.clear()


def tell(table: sa.Table, row: Any, why: Exception) -> None:
    """Log that it cannot be read, once for as long as this process has the ledger open."""
    key = [str(getattr(row, column.name)) for column in table.primary_key]
    if (table.name, *key) in _told:
        return
    if len(_told) >= MOST_TOLD:
        _told.clear()
    _told.add((table.name, *key))
    logger.error(
        "a row of the ledger cannot be read and is left out",
        extra={"table": table.name, "key": key, "why": f"{type(why).__name__}: {why}"},
    )
