"""Tells how a group of tasks stands, waits for its end, and cancels it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from coordinator.api.access_control.authentication import spender
from coordinator.api.access_control.caller import Caller
from coordinator.api.access_control.own_things import only_own
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.strict_requests import strict_request
from coordinator.api.wire.fields.instants import timestamp
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State
from coordinator.registry.queries.groups.group_progress import GroupWish
from coordinator.submission.request_limits import check_tags

from .group_answers import (
    MOST_CANCELLED,
    CancelGroupBody,
    GroupAnswer,
    GroupCancelledAnswer,
    GroupWaitAnswer,
    GroupWaitQuery,
    group_shape,
)

__all__ = ["router"]

router = APIRouter(prefix="/groups", tags=["Groups"], route_class=EndpointRoute)

GroupId = Annotated[str, Path(description="The group's id, URL-encoded.")]


@router.get(
    f"/{{group_id:{SEGMENT}}}",
    summary="Look up a group",
    responses=responses("get_group", GroupAnswer, 404, 503),
)
async def get_group(group_id: GroupId, wired: Wired, caller: Caller) -> JsonAnswer:
    """How many of its tasks are in which state, with all that was accepted before the request. A group is
    what tasks were submitted with as their `group`, or the id of their batch; it is there while it has tasks.
    Who may see its own tasks alone is told of those.
    """
    found = await wired.groups.counts(group_id, by=only_own("get_group", caller))
    return JsonAnswer({"status": "success", "group": group_shape(found), "timestamp": timestamp()})


@router.get(
    f"/{{group_id:{SEGMENT}}}/wait",
    summary="Wait for the end of a group",
    responses=responses("wait_for_group", GroupWaitAnswer, 404, 422, 503),
)
async def wait_for_group(
    group_id: GroupId,
    query: Annotated[GroupWaitQuery, Query()],
    request: Request,
    wired: Wired,
    caller: Caller,
) -> JsonAnswer:
    """Answers the moment that all tasks of the group have ended, or any, or after `timeout` seconds with the
    group as it stands then: `reached` tells which. A client's own time-out must be longer.
    """
    wish = GroupWish(more_than=query.more_than if query.until == "any" else None)
    with wired.quotas.waiting(spender(request.scope)):
        done = await wired.groups.wait(
            group_id,
            wish,
            timedelta(seconds=query.timeout),
            by=only_own("wait_for_group", caller),
        )
    return JsonAnswer(
        {
            "status": "success",
            "reached": done.reached,
            "group": group_shape(done.group),
            "timestamp": timestamp(),
        }
    )


@router.post(
    f"/{{group_id:{SEGMENT}}}/cancel",
    summary="Cancel a group",
    dependencies=[strict_request(CancelGroupBody)],
    responses=responses("cancel_group", GroupCancelledAnswer, 404, 413, 422, 503),
)
async def cancel_group(
    group_id: GroupId, wired: Wired, caller: Caller, body: CancelGroupBody | None = None
) -> JsonAnswer:
    """Ends the tasks of the group that have not ended, for good, each as `POST /tasks/{task_id}/cancel` does.
    One that has ended stays as it is, so that repeating is safe; while `left` is not 0, it goes on with the
    rest. Who may act on its own tasks alone ends those.
    """
    asked = body or CancelGroupBody()
    tags = asked.tags or ()
    check_tags(tags)
    own = only_own("cancel_group", caller)
    await wired.groups.counts(group_id, by=own)
    done = await wired.group_canceller.cancel(
        LabelFilter(group=group_id, tags=frozenset(tags)),
        limit=asked.limit or MOST_CANCELLED,
        own=own,
        reason=asked.reason,
        by=caller.actor,
    )
    tasks = "1 task" if done.cancelled == 1 else f"{done.cancelled} tasks"
    return JsonAnswer(
        {
            "status": "success",
            "message": f"{tasks} of the group cancelled",
            "group_id": group_id,
            "cancelled": done.cancelled,
            "was": {state.value: done.was.get(state, 0) for state in State},
            "left": done.left,
            "group": group_shape(await wired.groups.counts(group_id, by=own)),
            "timestamp": timestamp(),
        }
    )
