"""Ends what waits on a channel that is gone.

The driver hands its frames to the socket through a buffer with room for ten. Where the broker stops
reading, the buffer fills and whoever writes waits for room; where the connection is then lost, nobody
empties it any more, and they, and all who wait for their turn behind them, would wait for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from coordinator.errors import ChannelLost

__all__ = ["WhileOpen"]


class WhileOpen:
    """``closing`` is done once the channel is gone, for whatever reason."""

    def __init__(self, closing: asyncio.Future[None]) -> None:
        self._inside: set[asyncio.Task[object]] = set()
        self._ended: set[asyncio.Task[object]] = set()
        self._gone = False
        closing.add_done_callback(self._end)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Raises `ChannelLost` out of the block, whatever it waits for, when the channel is gone."""
        task = asyncio.current_task()
        if task is None or self._gone:
            raise ChannelLost
        asked_before = task.cancelling()
        self._inside.add(task)
        try:
            yield
        except asyncio.CancelledError as exc:
            if task in self._ended and task.uncancel() <= asked_before:
                raise ChannelLost from exc
            raise  # somebody else has cancelled it, too
        finally:
            self._inside.discard(task)
            self._ended.discard(task)

    def _end(self, closing: asyncio.Future[None]) -> None:
        self._gone = True
        if not closing.cancelled():
            closing.exception()  # told by the operation that met it
        for task in self._inside:
            self._ended.add(task)
            task.cancel()
