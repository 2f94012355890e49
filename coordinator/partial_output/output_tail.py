"""Keeps the last chunks of one run within a limit of bytes, and lets any number of cursors read them. Pure.

    add ─▶ [ 17 18 19 21 22 ] ─▶ successor: the tail of the next run
             ▲        ▲  ╰ 20 was lost on its way
             │        ╰ a cursor that keeps up
             ╰ a cursor that comes late: 1 to 16 are not kept any more

A chunk is in memory once, however many read it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from .output_items import (
    OutputChunk,
    OutputEnded,
    OutputItem,
    OutputMissing,
    OutputRun,
    OutputStarted,
)

__all__ = ["OVERHEAD", "OutputCursor", "OutputTail"]

OVERHEAD = 64
"""Bytes of memory that a chunk takes beside its JSON."""

AT_ONCE = 256
"""Chunks that a cursor reads before others have their turn."""


class OutputTail:
    """Holds the last ``most`` bytes of JSON of one run."""

    def __init__(self, run: OutputRun, *, most: int) -> None:
        self.run = run
        self._most = most
        self._chunks: list[bytes] = []
        self._numbers = array("Q")
        self._bytes = 0
        self._next = 1
        self.dropped = 0
        """Chunks that were here and are not kept any more: the index of the first that is."""
        self.ended = False
        self.doubted = False
        """Whether something may have been missed behind the last chunk."""
        self.successor: OutputTail | None = None
        """The tail of the run that took its place; nothing comes to this one then."""

    @property
    def memory(self) -> int:
        """Bytes that the chunks take."""
        return self._bytes + OVERHEAD * len(self._chunks)

    @property
    def last(self) -> int:
        """The number of the last chunk that was told, whether it is here or not."""
        return self._next - 1

    @property
    def end(self) -> int:
        """The index behind the last chunk."""
        return self.dropped + len(self._chunks)

    def add(self, first: int, chunks: Sequence[bytes], *, ended: bool = False) -> int:
        """Take chunks, as JSON, that are numbered from ``first``, and tell how many were new. What was told
        before is passed over, so that a message that comes twice changes nothing. After the end nothing is
        taken.
        """
        if self.ended:
            return 0
        self.doubted = False
        new = min(len(chunks), max(0, first + len(chunks) - self._next))
        for number, chunk in enumerate(chunks, first):
            if number >= self._next:
                self._chunks.append(chunk)
                self._numbers.append(number)
                self._bytes += len(chunk)
        self._next = max(
            self._next, first + len(chunks)
        )  # where there are none, it tells how many were
        self.ended = ended
        self._shrink(self._most)
        return new

    def drop_all(self) -> None:
        """Make room for others. What comes from now on is kept again."""
        self._shrink(0)

    def chunk_at(self, index: int) -> tuple[int, bytes]:
        """Its number and its JSON; ``index`` is from `dropped` to before `end`."""
        at = index - self.dropped
        return self._numbers[at], self._chunks[at]

    def _shrink(self, most: int) -> None:
        old = 0
        while self._bytes > most:
            self._bytes -= len(self._chunks[old])
            old += 1
        if old:
            del self._chunks[:old], self._numbers[:old]
            self.dropped += old


class OutputCursor:
    """Reads a tail from its beginning on, then those of the runs that follow. With ``from_now`` what the
    first has by now is told as missing.
    """

    def __init__(self, tail: OutputTail | None, *, from_now: bool = False) -> None:
        self._tail = tail
        self._started = False
        self._over = False
        self._doubted = False
        self._index = tail.end if from_now and tail is not None else 0
        self._expected = 1

    @property
    def tail(self) -> OutputTail | None:
        """The one that is read."""
        return self._tail

    @property
    def waits_for_a_run(self) -> bool:
        """Whether no run was heard of yet."""
        return self._tail is None

    @property
    def over(self) -> bool:
        """Whether nothing is expected: no run was heard of, or the end of the current one was read."""
        return self._tail is None or (self._over and self._tail.successor is None)

    def follow(self, tail: OutputTail) -> None:
        """Read ``tail``, the first that there is."""
        self._tail = tail
        self._begin()

    def read(self) -> list[OutputItem]:
        """The next items, some hundreds at most; none where the cursor has read all that there is."""
        items: list[OutputItem] = []
        tail = self._tail
        while tail is not None and len(items) < AT_ONCE:
            if not self._started:
                self._started = True
                items.append(OutputStarted(run=tail.run))
            self._read_chunks(tail, items)
            if self._index < tail.end:
                break
            self._read_end(tail, items)
            if tail.successor is None:
                break
            tail = self._tail = tail.successor
            self._begin()
        return items

    def _begin(self) -> None:
        self._started = False
        self._over = False
        self._doubted = False
        self._index = 0
        self._expected = 1

    def _read_chunks(self, tail: OutputTail, items: list[OutputItem]) -> None:
        self._index = max(self._index, tail.dropped)
        while self._index < tail.end and len(items) < AT_ONCE:
            number, encoded = tail.chunk_at(self._index)
            self._tell_missing(tail, number, items)
            items.append(OutputChunk(run=tail.run, number=number, encoded=encoded))
            self._expected = number + 1
            self._index += 1

    def _read_end(self, tail: OutputTail, items: list[OutputItem]) -> None:
        self._tell_missing(tail, tail.last + 1, items)
        if tail.ended and not self._over:
            self._over = True
            items.append(OutputEnded(run=tail.run, last=tail.last))
        if tail.doubted and not self._doubted:
            items.append(OutputMissing(run=tail.run, first=self._expected, last=None))
        self._doubted = tail.doubted

    def _tell_missing(self, tail: OutputTail, number: int, items: list[OutputItem]) -> None:
        """All chunks before ``number`` were told, or are told to be missing."""
        if number > self._expected:
            items.append(OutputMissing(run=tail.run, first=self._expected, last=number - 1))
            self._expected = number
