"""Streams one task to its end: `GET /tasks/{task_id}/stream`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from coordinator.access.principal import Principal
from coordinator.api.access_control.caller import Caller, still_counts_of
from coordinator.api.access_control.own_things import check_submitter
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import EndpointServices, Wired
from coordinator.api.head_requests import wants_head_alone
from coordinator.api.openapi_document import stream_responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.wire.tasks import task_shape
from coordinator.streaming.event_cursor import EventCursor
from coordinator.streaming.event_filter import EventFilter
from coordinator.streaming.stream_frames import ALL_OF_IT
from coordinator.streaming.subscriber_counts import StreamKind
from coordinator.streaming.task_stream import TaskStream, as_they_are

from .event_stream_query import TaskStreamQuery, last_event_position
from .event_streams import LastEventId
from .opened_stream import opened_stream
from .stream_answer import StreamAnswer, check_accept, head_of_stream, or_come_again

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["Streams"], route_class=EndpointRoute)


@router.get(
    f"/{{task_id:{SEGMENT}}}/stream",
    summary="Stream a task",
    status_code=200,
    response_class=StreamAnswer,
    responses=stream_responses("stream_task", 404, 406, 422, 503),
)
async def stream_task(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")],
    query: Annotated[TaskStreamQuery, Query()],
    request: Request,
    wired: Wired,
    caller: Caller,
    last_event_id: LastEventId = "",
) -> Response:
    """One task as server-sent events: its timeline so far, then what happens to it and what it says, and its
    end: `stream.end`, with the task as `GET /tasks/{task_id}` tells it. Then the stream is closed; a browser
    that comes back after that is answered 204, which ends its coming back.

    `id`, `event` and `data` are those of `GET /events`. What a running attempt emits is told beside them,
    without an `id`: `output.started`, `output.chunks` with the number of the first, `output.missing`,
    `output.ended`.
    """
    check_accept(request)
    answer = _answer(task_id, query.after, request, wired, caller, last_event_id)
    return await or_come_again(request, answer)


async def _answer(
    task_id: str,
    after: int | None,
    request: Request,
    wired: EndpointServices,
    caller: Principal,
    last_event_id: str,
) -> Response:
    task = await wired.registry.task(task_id)
    check_submitter("stream_task", caller, task.submitted_by)
    if last_event_id == ALL_OF_IT:
        return Response(status_code=204)
    after = last_event_position(last_event_id, after)
    if wants_head_alone(request.scope):
        return head_of_stream()
    cursor: EventCursor[Any] = EventCursor(
        wired.feed,
        EventFilter(task_ids=frozenset({task_id})),
        as_they_are,
        after=after or 0,
        allowed=still_counts_of(request.scope),
    )

    async def ended() -> dict[str, Any] | None:
        task = await wired.registry.task(task_id)
        return task_shape(task) if task.ended else None

    opened = await opened_stream(request.scope, wired, StreamKind.TASK, cursor)
    stream = TaskStream(
        task_id,
        cursor,
        settled=wired.feed.settled_state,
        ended=ended,
        others=wired.task_items,
    )
    opened.callback(stream.unwatch)
    return StreamAnswer(stream.frames(), closed=opened.close)
