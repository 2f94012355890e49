"""Leaves out of a task's stream what was told before it was opened again: partial output has no ids, and
whoever comes back is told the last of it once more.
"""

from __future__ import annotations

from dataclasses import replace

from coordinator.client.models.stream_items import (
    OutputChunks,
    OutputEnded,
    OutputMissing,
    OutputStarted,
)

__all__ = ["OutputItem", "OutputRepetitions"]

OutputItem = OutputStarted | OutputChunks | OutputMissing | OutputEnded


class OutputRepetitions:
    """Knows what was told of the current run, by the numbers of its chunks."""

    def __init__(self) -> None:
        self._run: tuple[int, int, str, str] | None = None
        self._next = 1
        self._ended = False

    def new(self, item: OutputItem) -> OutputItem | None:
        """What of ``item`` was not told before; None for nothing."""
        run = (item.generation, item.attempt, item.agent_id, item.run)
        if run != self._run:
            self._run, self._next, self._ended = run, 1, False
        elif isinstance(item, OutputStarted):
            return None
        match item:
            case OutputChunks():
                return self._chunks(item)
            case OutputMissing():
                return self._missing(item)
            case OutputEnded():
                again, self._ended = self._ended, True
                return None if again else item
        return item

    def _chunks(self, item: OutputChunks) -> OutputChunks | None:
        known = max(0, self._next - item.first)
        fresh = item.chunks[known:]
        if not fresh:
            return None
        first = item.first + known
        self._next = first + len(fresh)
        return item if not known else replace(item, first=first, chunks=fresh)

    def _missing(self, item: OutputMissing) -> OutputMissing | None:
        if item.last is None:
            return item
        first = max(item.first, self._next)
        if first > item.last:
            return None
        self._next = item.last + 1
        return replace(item, first=first)
