"""Follows one task to its end, or all events that match."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict, Unpack

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import request
from coordinator.client.exchange.programs import (
    Circumstances,
    Deadline,
    Program,
    emit,
)
from coordinator.client.exchange.server_sent_events import Frame
from coordinator.client.models.stream_items import (
    EventsMissing,
    OutputChunks,
    OutputEnded,
    OutputMissing,
    OutputStarted,
    StreamedEvent,
    StreamReset,
    TaskEnded,
)
from coordinator.client.models.tasks import Task

from .followed_stream import FollowedStream, Reopened, data_of
from .output_repetitions import OutputRepetitions

__all__ = ["EventFilter", "events", "item_of", "task_stream"]

_OUTPUT = {
    "output.started": OutputStarted,
    "output.chunks": OutputChunks,
    "output.missing": OutputMissing,
    "output.ended": OutputEnded,
}


class EventFilter(TypedDict, total=False):
    """Selects the events that match all that is given, each by one of its values."""

    task_id: Iterable[str]
    agent_id: Iterable[str]
    type: Iterable[str]
    """Such as `task.failed`; `task.*` and `agent.*` are all of theirs."""
    priority: Iterable[str]
    state: Iterable[str]
    """That the task is in after the event."""
    group: Iterable[str]
    tag: Iterable[str]


def task_stream(
    task_id: str, now: Circumstances, *, after: int | None = None, timeout: float | None = None
) -> Program[None]:
    """Emits the task's timeline, then what happens to it and what it says, and its end. ``after`` is a
    position: what came up to it is left out. Raises `WaitTimedOut` after ``timeout`` seconds.
    """
    asked = request("GET", "tasks", task_id, "stream")
    stream = FollowedStream(
        lambda: asked,
        now,
        last_id=None if after is None else str(after),
        deadline=Deadline(timeout, now.clock),
        what=f"Task {task_id} has not ended within {timeout or 0:g} seconds",
    )
    told_before = OutputRepetitions()
    while True:
        frame = yield from stream.next()
        if isinstance(frame, Reopened):
            continue
        item = item_of(frame)
        if isinstance(item, OutputStarted | OutputChunks | OutputMissing | OutputEnded):
            item = told_before.new(item)
        if item is not None:
            yield from emit(item)
        if isinstance(item, TaskEnded):
            yield from stream.close()
            return


def events(
    now: Circumstances,
    *,
    after: int | None = None,
    follow: bool = True,
    timeout: float | None = None,
    **filters: Unpack[EventFilter],
) -> Program[None]:
    """Emits every event that matches: what is kept after the position ``after`` first, then what happens from
    now on, without an end. Who does not ``follow`` is given what there is, without a position all that is
    kept. Raises `WaitTimedOut` after ``timeout`` seconds.
    """
    query = _values(filters) if follow else {**_values(filters), "follow": "false"}
    asked = request("GET", "events", query=query)
    stream = FollowedStream(
        lambda: asked,
        now,
        last_id=None if after is None else str(after),
        deadline=Deadline(timeout, now.clock),
        what=f"The {timeout or 0:g} seconds for which events were asked for are over",
    )
    while True:
        frame = yield from stream.next()
        if isinstance(frame, Reopened):
            continue
        if frame.event == "stream.end":
            yield from stream.close()
            return
        item = item_of(frame)
        if item is not None:
            yield from emit(item)


def item_of(frame: Frame) -> Any:
    """What the frame tells; None for what only newer services tell."""
    data = data_of(frame)
    if (output := _OUTPUT.get(frame.event)) is not None:
        return read_as(output, data)
    match frame.event:
        case "stream.end":
            return TaskEnded(task=read_as(Task, part(data, "task")), detail=data.get("detail", ""))
        case "stream.incomplete":
            return read_as(EventsMissing, data)
        case "stream.reset":
            return read_as(StreamReset, data)
    if not (frame.placed and (frame.id or "").isdigit()) or frame.event.startswith("stream."):
        return None
    told = {
        "time": data.get("time"),
        "subject": data.get("subject"),
        "data": data.get("data") or {},
    }
    return read_as(StreamedEvent, told | {"position": frame.id, "type": frame.event})


def _values(filters: EventFilter) -> dict[str, list[str]]:
    """One word is one value, and not its letters."""
    given: dict[str, Any] = {**filters}
    return {
        name: [value] if isinstance(value, str) else list(value) for name, value in given.items()
    }
