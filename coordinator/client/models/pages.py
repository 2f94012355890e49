"""Holds one page of a list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Page"]

Item_co = TypeVar("Item_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Item_co]):
    """Has some items of a list, and the way to the others."""

    items: Sequence[Item_co]
    next_cursor: str | None = None
    """For the page after this one; None on the last."""
    total: int | None = None
    """How many there are on all pages, where the service counts them."""

    def __iter__(self) -> Iterator[Item_co]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
