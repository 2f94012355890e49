"""Numbers the calls of one attempt, whichever of its threads make them."""

from __future__ import annotations

import threading
from collections import Counter

__all__ = ["CallNumbers"]


class CallNumbers:
    """Counts what is called the same from 1 on: what an attempt calls once more in a second run has the same
    numbers, in whatever order its threads and coroutines get there.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._made: Counter[str] = Counter()

    def next(self, call: str) -> int:
        """How many of this name there are, with this one."""
        with self._turn:
            self._made[call] += 1
            return self._made[call]
