"""Offers partial output to streams, as frames of server-sent events without an `id`, and as messages.

    event: output.started   data: {"task_id": "t", "generation": 1, "attempt": 1, "run": "5f2c", …}
    event: output.chunks    data: {…, "first": 17, "chunks": ["Hel", "lo"]}
    event: output.missing   data: {…, "first": 19, "last": 21}
    event: output.ended     data: {…, "last": 30}

Chunks that follow one another and are at hand at the same time are one frame, which is made once for all who
read at the same pace.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import assert_never

from pydantic_core import to_json

from .output_items import (
    OutputChunk,
    OutputEnded,
    OutputItem,
    OutputMissing,
    OutputRun,
    OutputStarted,
)
from .output_subscriptions import OutputSubscription, PartialOutput

__all__ = ["OutputFrame", "OutputFrames", "OutputWatch"]

FRAME_BYTES = 16 * 1024
"""Of chunks in one frame."""

LAST_WORDS = 1.0
"""Seconds for which the end of a run is waited for once its task has ended: an agent that was lost tells
none."""

REMEMBERED = 256
REMEMBERED_BYTES = 4 * 1024 * 1024
"""Frames of chunks, and their bytes, that are kept for others who want the same."""


@dataclass(frozen=True, slots=True)
class OutputFrame:
    """Is one frame; fits `streaming.task_stream.TaskItem`."""

    name: str
    frame: bytes

    @property
    def message(self) -> str:
        """The same for a WebSocket: a JSON object with the name as its `type`."""
        data = self.frame[len(f"event: {self.name}\ndata: ") : -2].decode()
        return f'{{"type":"{self.name}","topic":"output",{data[1:]}'

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about."""
        return len(self.frame) + 100


class OutputWatch:
    """Fits `streaming.task_stream.TaskWatch`."""

    def __init__(self, items: OutputSubscription) -> None:
        self._items = items

    async def said(self) -> None:
        """Wait for the end of the current run, which may come a little after that of the task."""
        await self._items.over(LAST_WORDS)


class OutputFrames:
    """Fits `streaming.task_stream.TaskItems`."""

    def __init__(self, output: PartialOutput) -> None:
        self._output = output
        self._remembered: OrderedDict[tuple[str, OutputRun, int, int], OutputFrame] = OrderedDict()
        self._remembered_bytes = 0

    @contextmanager
    def watched(
        self, task_id: str, put: Callable[[Sequence[OutputFrame], int], None]
    ) -> Iterator[OutputWatch]:
        """While the block lasts, ``put`` is called with frames and their size: in its beginning with those of
        what is kept, then as more comes, in the loop's next turn: what comes in this one is one frame. It
        raises nothing.
        """
        loop = asyncio.get_running_loop()
        with self._output.subscribe(task_id) as items:
            due: asyncio.Handle | None = None

            def tell_soon() -> None:
                nonlocal due
                if due is None:
                    due = loop.call_soon(tell)

            def tell() -> None:
                nonlocal due
                due = None
                while told := items.at_hand():
                    self._put(task_id, told, put)

            items.on_more = tell_soon
            tell()
            try:
                yield OutputWatch(items)
            finally:
                if due is not None:
                    due.cancel()

    @contextmanager
    def watched_all(self, put: Callable[[Sequence[OutputFrame], int], None]) -> Iterator[None]:
        """The same of all tasks, from now on; of a run that is under way it is told that what it has said is
        missing.
        """

        def told(task_id: str, items: Sequence[OutputItem]) -> None:
            self._put(task_id, items, put)

        with self._output.follow_all(told):
            yield

    def _put(
        self,
        task_id: str,
        items: Sequence[OutputItem],
        put: Callable[[Sequence[OutputFrame], int], None],
    ) -> None:
        self._output.counts.told(sum(isinstance(one, OutputChunk) for one in items))
        frames = self._frames(task_id, items)
        put(frames, sum(one.size for one in frames))

    def _frames(self, task_id: str, items: Sequence[OutputItem]) -> list[OutputFrame]:
        frames: list[OutputFrame] = []
        chunks: list[OutputChunk] = []
        size = 0
        for item in items:
            if isinstance(item, OutputChunk):
                chunks.append(item)
                size += len(item.encoded)
                if size < FRAME_BYTES:
                    continue
            frames += self._of_chunks(task_id, chunks)
            chunks, size = [], 0
            if not isinstance(item, OutputChunk):
                frames.append(_frame_of(task_id, item))
        return [*frames, *self._of_chunks(task_id, chunks)]

    def _of_chunks(self, task_id: str, chunks: Sequence[OutputChunk]) -> list[OutputFrame]:
        """Of chunks that follow one another; none of none."""
        if not chunks:
            return []
        key = (task_id, chunks[0].run, chunks[0].number, chunks[-1].number)
        frame = self._remembered.get(key)
        if frame is None:
            head = _head(task_id, chunks[0].run, first=chunks[0].number)
            joined = b",".join([one.encoded for one in chunks])
            frame = _frame("output.chunks", b'%b,"chunks":[%b]}' % (head[:-1], joined))
            self._remembered[key] = frame
            self._remembered_bytes += frame.size
            while len(self._remembered) > REMEMBERED or self._remembered_bytes > REMEMBERED_BYTES:
                self._remembered_bytes -= self._remembered.popitem(last=False)[1].size
        return [frame]


def _frame_of(task_id: str, item: OutputStarted | OutputMissing | OutputEnded) -> OutputFrame:
    match item:
        case OutputStarted():
            return _frame("output.started", _head(task_id, item.run))
        case OutputMissing():
            head = _head(task_id, item.run, first=item.first, last=item.last)
            return _frame("output.missing", head)
        case OutputEnded():
            return _frame("output.ended", _head(task_id, item.run, last=item.last))
        case _:
            assert_never(item)


def _head(task_id: str, run: OutputRun, **more: int | None) -> bytes:
    told = {
        "task_id": task_id,
        "generation": run.generation,
        "attempt": run.attempt,
        "agent_id": run.agent_id,
        "run": run.run,
    }
    return to_json(told | more)


def _frame(name: str, data: bytes) -> OutputFrame:
    """``data`` is an object with something in it; JSON on one line holds no end of line."""
    return OutputFrame(name, b"event: %b\ndata: %b\n\n" % (name.encode(), data))
