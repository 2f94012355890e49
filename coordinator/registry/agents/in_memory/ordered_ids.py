"""Sorts ids lazily, to be read in order from any one of them on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

__all__ = ["OrderedIds"]


class OrderedIds:
    """Adds and removes ids at next to no cost; what was added is sorted in when somebody reads."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._sorted: list[str] = []
        self._added: list[str] = []

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, one: str) -> None:
        """One that is there already stays."""
        if one not in self._ids:
            self._ids.add(one)
            self._added.append(one)
            if len(self._added) > 2 * len(self._ids):  # the same ones come and go, and nobody reads
                self._sort()

    def discard(self, one: str) -> None:
        """It stays among the sorted ones, and is passed over, until they are sorted again."""
        self._ids.discard(one)

    def after(self, place: str | None) -> Iterator[str]:
        """All that come after ``place``, whether it is there or not. Nothing may change meanwhile."""
        if self._added or len(self._sorted) > 2 * len(self._ids):
            self._sort()
        start = 0 if place is None else bisect_right(self._sorted, place)
        for index in range(start, len(self._sorted)):
            if self._sorted[index] in self._ids:
                yield self._sorted[index]

    def _sort(self) -> None:
        merged = [*self._sorted, *self._added]
        merged.sort()  # a long run and a short one, which sorting merges
        # Of what was removed and added again there are two.
        self._sorted = list(dict.fromkeys(one for one in merged if one in self._ids))
        self._added.clear()
