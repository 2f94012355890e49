"""Numbers the chunks that one run emits, and holds them until they are published, within a limit of bytes.

    handler, on the loop or in a thread ── put ──▶ [ 4 5 6 7 ] ── take ──▶ the publisher, on the loop
                                          │           ╰ the oldest are dropped beyond the limit
                                          ╰ waits for room, but never for long

A chunk has its number from the start, so that whoever reads sees what was dropped.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass

__all__ = ["OVERHEAD", "Emitted", "OutputBuffer", "TakenOutput"]

OVERHEAD = 40
"""Bytes that a chunk takes beside its JSON, here and in the message: many tiny ones are no little thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOutput:
    """Holds chunks that follow one another, to be published."""

    first: int
    """The number of the first; of the one to come, where there are none."""
    chunks: list[bytes]
    ended: bool
    """Whether nothing comes behind them."""
    size: int
    """Bytes of them, with what each takes beside."""


class OutputBuffer:
    """Belongs to one run. Everything but `put` is called in ``loop_thread``, which runs the event loop.

    ``most``: bytes that are held, with the `OVERHEAD` of each chunk. From half of that on `put` waits for
    room: for ``patience`` seconds once, and then not again until there was room. ``on_more`` is called, in
    whatever thread, when there is something to take where there was nothing, or when the run has ended; it
    raises nothing.
    """

    def __init__(
        self, *, most: int, patience: float, on_more: Callable[[], None], loop_thread: int
    ) -> None:
        self._most = most
        self._full = most // 2
        self._patience = patience
        self._on_more = on_more
        self._loop_thread = loop_thread
        self._changed = threading.Condition()
        """Its lock guards all below."""
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._patient = True
        self._awaiting: list[asyncio.Future[None]] = []
        self._ended = False
        self.emitted = 0
        """Chunks so far: the number of the last."""
        self.dropped = 0
        """Those that were given up."""

    @property
    def size(self) -> int:
        """Bytes that are held."""
        return self._size

    @property
    def ended(self) -> bool:
        """Whether nothing more is put in."""
        return self._ended

    def put(self, chunk: bytes) -> Awaitable[None]:
        """Number it and hold it. In a thread this waits for room; on the loop whoever awaits what it returns
        does, and lets other tasks run. After the end it is passed over.
        """
        with self._changed:
            if self._ended:
                return Emitted()
            new = not self._waiting
            self._waiting.append(chunk)
            self._size += len(chunk) + OVERHEAD
            self.emitted += 1
            self._drop(self._most)
        if new:
            self._on_more()
        if threading.get_ident() == self._loop_thread:
            return Emitted(self)
        self._wait_in_thread()
        return Emitted()

    def take(self, most: int) -> TakenOutput:
        """The oldest chunks, of ``most`` bytes together, or one that is larger."""
        with self._changed:
            first = self.emitted - len(self._waiting) + 1
            chunks: list[bytes] = []
            taken = 0
            while self._waiting:
                size = len(self._waiting[0]) + OVERHEAD
                if chunks and taken + size > most:
                    break
                chunks.append(self._waiting.popleft())
                taken += size
            self._size -= taken
            ended = self._ended and not self._waiting
            self._make_known()
        return TakenOutput(first=first, chunks=chunks, ended=ended, size=taken)

    def shrink(self, most: int) -> None:
        """Hold the last ``most`` bytes alone."""
        with self._changed:
            self._drop(most)
            self._make_known()

    def end(self) -> None:
        """The run is over: nobody waits any more."""
        with self._changed:
            self._ended = True
            self._make_known()
        self._on_more()

    async def room(self) -> None:
        """Wait until there is room, or the patience is over."""
        with self._changed:
            if not self._must_wait:
                return
            freed = asyncio.get_running_loop().create_future()
            self._awaiting.append(freed)
        try:
            async with asyncio.timeout(self._patience):
                await freed
        except TimeoutError:
            self._patient = False

    @property
    def _must_wait(self) -> bool:
        return self._size > self._full and self._patient and not self._ended

    def _wait_in_thread(self) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: not self._must_wait, timeout=self._patience):
                self._patient = False

    def _drop(self, most: int) -> None:
        while self._size > most:
            self._size -= len(self._waiting.popleft()) + OVERHEAD
            self.dropped += 1

    def _make_known(self) -> None:
        """On the loop: whoever waits for room goes on, where there is some."""
        if self._size <= self._full:
            self._patient = True
        if self._size > self._full and not self._ended:
            return
        self._changed.notify_all()
        for freed in self._awaiting:
            if not freed.done():
                freed.set_result(None)
        self._awaiting.clear()


class Emitted:
    """May be awaited, which lets other tasks run and waits for room, or ignored."""

    __slots__ = ("_buffer",)

    def __init__(self, buffer: OutputBuffer | None = None) -> None:
        self._buffer = buffer

    def __await__(self) -> Generator[None]:
        yield
        if self._buffer is not None:
            yield from self._buffer.room().__await__()
