"""Streams the events of all tasks and agents: `GET /events`."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from coordinator.api.access_control.caller import Caller, still_counts_of
from coordinator.api.access_control.own_things import only_own
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.head_requests import wants_head_alone
from coordinator.api.openapi_document import stream_responses
from coordinator.streaming.event_cursor import EventCursor
from coordinator.streaming.event_stream import EventStream
from coordinator.streaming.streamed_event import joined_frames
from coordinator.streaming.subscriber_counts import StreamKind

from .event_stream_query import EventStreamQuery, last_event_position
from .opened_stream import opened_stream
from .stream_answer import StreamAnswer, check_accept, head_of_stream, or_come_again

__all__ = ["LastEventId", "router"]

router = APIRouter(tags=["Streams"], route_class=EndpointRoute)

LastEventId = Annotated[
    str,
    Header(
        alias="Last-Event-ID",
        description="The `id` of the last event that came, as browsers send it when they come back.",
        json_schema_extra={"pattern": "^[0-9]{0,18}$"},
    ),
]


@router.get(
    "/events",
    summary="Stream events",
    status_code=200,
    response_class=StreamAnswer,
    responses=stream_responses("stream_events", 406, 422, 503),
)
async def stream_events(
    query: Annotated[EventStreamQuery, Query()],
    request: Request,
    wired: Wired,
    caller: Caller,
    last_event_id: LastEventId = "",
) -> Response:
    """Every event of tasks and agents in the log's order, as server-sent events: `id` is its position in the
    ledger, `event` its type, `data` the CloudEvent in JSON, without what the task holds and what came of it.
    What is kept after a position is replayed first, then it goes on live; with `follow=false` it ends after
    what there is, without a position all that is kept. Who may see its own tasks alone is
    told of no others.

    Events of the stream itself: `stream.incomplete` where events after the position were deleted with their
    tasks; `stream.reset` where the ledger has not reached the position; `stream.end` before the service ends
    the stream, with the reason. A comment comes every 15 seconds. Who comes back with `Last-Event-ID` while
    the service cannot answer is sent `stream.end` in the place of a 503, after which a browser would not come
    again.
    """
    check_accept(request)
    after = last_event_position(last_event_id, query.after)
    if wants_head_alone(request.scope):
        return head_of_stream()
    cursor = EventCursor(
        wired.feed,
        query.filter(only_own("stream_events", caller)),
        joined_frames,
        after=after,
        follow=query.follow,
        allowed=still_counts_of(request.scope),
    )

    async def answer() -> Response:
        opened = await opened_stream(request.scope, wired, StreamKind.EVENTS, cursor)
        return StreamAnswer(EventStream(cursor).frames(), closed=opened.close)

    return await or_come_again(request, answer())
