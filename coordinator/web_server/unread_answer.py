"""Knows for how long a client has taken nothing of what it was sent."""

from __future__ import annotations

__all__ = ["UnreadAnswer"]


class UnreadAnswer:
    """Looks at one connection once in a while. ``bound``: seconds without a byte that was taken."""

    __slots__ = ("_bound", "_since", "_size")

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self._size, self._since = 0, 0.0

    def is_overdue(self, size: int, now: float) -> bool:
        """``size``: bytes that were written and not taken yet; ``now``: seconds of the loop's clock."""
        if size < self._size or not self._size:
            self._since = now
        self._size = size
        return size > 0 and now - self._since >= self._bound
