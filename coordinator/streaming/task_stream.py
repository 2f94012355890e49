"""Streams one task as server-sent events: its timeline so far, then what happens, to its end.

    events of the task ──────▶ frames ─▶ stream.end, with the task as GET /tasks/{task_id} tells it
    items beside its events ─┘

Such items (`TaskItems`) are no events: they are in no ledger, and have no position.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol

from coordinator.domain.task import ENDED
from coordinator.errors import CoordinatorError

from .event_cursor import EventCursor
from .stream_frames import UNREADABLE, ahead, end, end_of_task, heartbeat, opening
from .streamed_event import MissingEvents, StreamedEvent
from .subscription import Subscription

__all__ = ["TaskItem", "TaskItems", "TaskStream", "TaskWatch", "as_they_are"]


class TaskItem(Protocol):
    """Something that is streamed of a task: `StreamedEvent` is one."""

    @property
    def message(self) -> str | None:
        """The same for a WebSocket; None where it cannot be read."""
        ...

    @property
    def frame(self) -> bytes:
        """A frame of server-sent events; without an `id`, where it is no event of the ledger."""
        ...

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, about: what counts against a subscriber who does not keep up."""
        ...


class TaskWatch(Protocol):
    """Puts items of a task, as long as the block of `TaskItems.watched` lasts."""

    async def said(self) -> None:
        """Return once no item is expected any more, and in any case after a moment: the end of a task may be
        known before the last that it said.
        """
        ...


class TaskItems(Protocol):
    """Offers items of a task beside the events of the ledger, such as what a running attempt says."""

    def watched(
        self, task_id: str, put: Callable[[Sequence[TaskItem], int], None]
    ) -> AbstractContextManager[TaskWatch]:
        """While the block lasts, ``put`` is called with the items of this task, and their size in bytes, in
        their order: those that are kept at once, in the block's beginning, and others as they come. It is
        called on the event loop, takes no time and raises nothing; a subscriber who does not keep up is
        cut off by it.
        """
        ...

    def watched_all(
        self, put: Callable[[Sequence[TaskItem], int], None]
    ) -> AbstractContextManager[None]:
        """The same for the items of all tasks, those alone that come while the block lasts."""
        ...


def as_they_are(events: Sequence[StreamedEvent | MissingEvents]) -> Sequence[Any]:
    """Renders events for who sends each by itself."""
    return list(events)


_ENDED = frozenset(state.value for state in ENDED)


class TaskStream:
    """Has the frames of one answer: the events of one task, which an open ``cursor`` follows, with the items
    of ``others``, and its end. `unwatch` ends it.

    ``settled`` tells the state of the task after all that the feed has given so far. ``ended`` is called with
    nothing, once the ledger has an end of the task; it returns the task in JSON, or None where that goes on,
    as one does that was redriven. Both may raise a `CoordinatorError`.
    """

    def __init__(
        self,
        task_id: str,
        cursor: EventCursor[Any],
        *,
        settled: Callable[[str], Awaitable[str | None]],
        ended: Callable[[], Awaitable[dict[str, Any] | None]],
        others: Sequence[TaskItems] = (),
    ) -> None:
        self._task_id = task_id
        self._cursor = cursor
        self._settled = settled
        self._ended = ended
        self._others = others
        self._watching = ExitStack()
        self._watches: list[TaskWatch] = []
        self._live = False

    def unwatch(self) -> None:
        """Nothing more is sent: watch no other items."""
        self._watching.close()

    async def frames(self) -> AsyncIterator[bytes]:
        """Pieces of the answer, of one or more frames each, as those of `EventStream`. The last one is the
        end of the task, or why the stream ends before that.
        """
        yield opening(self._cursor.position)
        if self._cursor.ahead_of is not None:
            yield ahead(self._cursor.ahead_of)
        state: str | None = None
        async for items in self._cursor.batches():
            frames: list[bytes] = []
            for item in items:
                if isinstance(item, StreamedEvent):
                    state = item.recorded.state or state
                if not isinstance(item, MissingEvents):
                    # Those are of other tasks: the events of one are deleted together, and it with them.
                    frames.append(item.frame)
            if frames:
                yield b"".join(
                    frames
                )  # one write: the more there is to tell, the less a frame costs
            try:
                state, told = await self._end(state)
            except CoordinatorError:
                yield end(UNREADABLE)
                return
            if told is not None:
                yield end_of_task(told)
                return
            if self._cursor.silent:
                yield heartbeat(self._cursor.position)
        yield end(self._cursor.ended)

    async def _end(self, state: str | None) -> tuple[str | None, dict[str, Any] | None]:
        """After a batch: the task's state as far as it is known here, and the task, where that is its end."""
        subscription = self._cursor.subscription
        if subscription is None:
            return state, None
        if not self._live:
            self._live = True
            state = state or await self._settled(self._task_id)
            for one in self._others:
                watched = one.watched(self._task_id, subscription.put)
                self._watches.append(self._watching.enter_context(watched))
        if state not in _ENDED or not subscription.drained:
            return state, None
        if not await self._all_was_said(subscription):
            return state, None
        task = await self._ended()
        return (state if task else None), task

    async def _all_was_said(self, subscription: Subscription[Any]) -> bool:
        """No item is expected any more, and all that came were sent."""
        for watch in self._watches:
            await watch.said()
        return subscription.drained
