"""Lists parked messages, which came through the log and could not be read, and shows one whole."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Path, Query

from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.fields.page_fields import PageQuery
from coordinator.api.wire.parked_messages import ParkedAnswer, ParkedPageAnswer, parked_shape
from coordinator.errors import ParkedNotFound

__all__ = ["router"]

router = APIRouter(prefix="/parked", tags=["Parked"], route_class=EndpointRoute)


@router.get(
    "",
    summary="List parked messages",
    responses=responses("list_parked", ParkedPageAnswer, 422, 503),
)
async def list_parked(query: Annotated[PageQuery, Query()], wired: Wired) -> ListAnswer:
    """Messages that could not be taken as events, the latest first, each with the reason: not JSON,
    not of a known shape, in the name of another agent, with a token that is not the task's. They
    changed nothing. The oldest make room for others: `dropped` counts them.
    """
    page = await wired.browsing.parked(after=cursors.PARKED.read(query.cursor), limit=query.limit)
    shown = await written(page.messages, partial(parked_shape, whole=False))
    cut = len(shown) < len(page.messages)
    following = page.messages[len(shown) - 1].position if cut else page.following
    after = {
        "count": len(shown),
        "total": page.total,
        "dropped": page.dropped,
        "next_cursor": cursors.PARKED.write(following),
        "timestamp": timestamp(),
    }
    return ListAnswer({"status": "success"}, "parked", shown, after)


@router.get(
    f"/{{position:{SEGMENT}}}",
    summary="Look at a parked message",
    responses=responses("get_parked", ParkedAnswer, 404, 503),
)
async def get_parked(
    position: Annotated[str, Path(description="Its `position` in the list.", examples=["1"])],
    wired: Wired,
) -> JsonAnswer:
    """The message with its properties, and 64 KiB of its body at most."""
    if not (position.isascii() and position.isdecimal() and len(position) < LONGEST_POSITION):
        raise ParkedNotFound
    found = await wired.browsing.parked_message(int(position))
    return JsonAnswer(
        {"status": "success", "parked": parked_shape(found, whole=True), "timestamp": timestamp()}
    )


LONGEST_POSITION = 19
"""Digits, as many as a column holds."""
