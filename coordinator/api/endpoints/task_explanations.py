"""Explains why a task waits: what is ahead of it, and which agents may do it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from coordinator.api.access_control.caller import Caller
from coordinator.api.access_control.own_things import check_task
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.task_explanations import ExplainAnswer, explanation_shape

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=EndpointRoute)


@router.get(
    f"/{{task_id:{SEGMENT}}}/explain",
    summary="Why a task waits",
    responses=responses("explain_task", ExplainAnswer, 404, 503),
)
async def explain_task(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")],
    wired: Wired,
    caller: Caller,
) -> JsonAnswer:
    """What is ahead of it, which agents may do it, and for every other what it lacks. Tasks of other
    lanes that the same agents serve compete with it, too: they are not counted here.
    """
    await check_task("explain_task", caller, task_id, wired.registry)
    found = await wired.explainer.explain(task_id)
    return JsonAnswer(
        {"status": "success", "explanation": explanation_shape(found), "timestamp": timestamp()}
    )
