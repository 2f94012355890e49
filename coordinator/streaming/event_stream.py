"""Streams the events that one subscriber wants as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator

from .event_cursor import EventCursor
from .stream_frames import CAUGHT_UP, ahead, end, heartbeat, opening

__all__ = ["EventStream"]


class EventStream:
    """Has the frames of one answer, those of a ``cursor`` that is open."""

    def __init__(self, cursor: EventCursor[bytes]) -> None:
        self._cursor = cursor

    async def frames(self) -> AsyncIterator[bytes]:
        """Pieces of the answer, of one or more frames each. Raises nothing: why it ends is in the last one,
        and it ends earlier where the subscriber is gone.
        """
        yield opening(self._cursor.position)
        if self._cursor.ahead_of is not None:
            yield ahead(self._cursor.ahead_of)
        async for batch in self._cursor.batches():
            for piece in batch:
                yield piece
            if self._cursor.silent:
                yield heartbeat(self._cursor.position)
        why = self._cursor.ended
        yield end(why, position=self._cursor.position if why is CAUGHT_UP else None)
