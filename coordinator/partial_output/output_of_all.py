"""Follows the partial output of all tasks, from now on, for one subscriber.

Its cursors hold nothing: a task that nobody follows by itself may be forgotten, and its cursor goes with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from weakref import WeakSet

from .output_items import OutputItem
from .output_tail import OutputCursor, OutputTail
from .output_tails import OutputTails

__all__ = ["OutputOfAll"]


class OutputOfAll:
    """``told`` is called on the event loop with what is new of one task, in its order, in the turn after it
    came; it takes no time and raises nothing. `close` it.
    """

    def __init__(
        self, tails: OutputTails, told: Callable[[str, Sequence[OutputItem]], None]
    ) -> None:
        self._tails = tails
        self._told = told
        self._cursors = {
            task_id: OutputCursor(tail, from_now=True) for task_id, tail in tails.under_way()
        }
        self._read: WeakSet[OutputTail] = WeakSet()
        """Those that were read to their end: a message that comes again begins none anew."""
        self._due: dict[str, None] = {}
        self._soon: asyncio.Handle | None = None

    def close(self) -> None:
        """Nothing more is told."""
        if self._soon is not None:
            self._soon.cancel()

    def heard(self, task_id: str) -> None:
        """There may be more of this task."""
        self._due[task_id] = None
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._tell)

    def doubt(self) -> None:
        """Something may have been missed of any."""
        for task_id in self._cursors:
            self.heard(task_id)

    def forget(self) -> None:
        """Some tasks may have been forgotten."""
        for task_id in [one for one in self._cursors if self._tails.of(one) is None]:
            del self._cursors[task_id]

    def _tell(self) -> None:
        due, self._due, self._soon = self._due, {}, None
        for task_id in due:
            self._tell_of(task_id)

    def _tell_of(self, task_id: str) -> None:
        cursor = self._cursors.get(task_id)
        tail = self._tails.of(task_id)
        if cursor is not None:
            self._tell_by(cursor, task_id)
        if tail is None or tail in self._read:
            return
        if (
            cursor is None or cursor.tail is not tail
        ):  # a first run, or one that was forgotten since
            cursor = self._cursors[task_id] = OutputCursor(tail)
            self._tell_by(cursor, task_id)
        if cursor.over:
            self._read.add(tail)
            del self._cursors[task_id]

    def _tell_by(self, cursor: OutputCursor, task_id: str) -> None:
        while items := cursor.read():
            self._told(task_id, items)
