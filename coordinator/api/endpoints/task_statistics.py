"""Answers the statistics of all tasks: `GET /tasks/status`."""

from __future__ import annotations

from fastapi import APIRouter

from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.task_statistics import TaskStatusAnswer, totals_shape
from coordinator.registry.queries.queue_sizes import by_priority

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=EndpointRoute)


@router.get(
    "/status",
    summary="Statistics of all tasks",
    responses=responses("get_task_status", TaskStatusAnswer, 503),
)
async def get_task_status(wired: Wired) -> JsonAnswer:
    """How many tasks went out and how they ended, how the fleet is loaded, and how many tasks wait
    at each priority.
    """
    depths = await wired.queue_sizes.look()
    totals = await wired.registry.statistics()
    return JsonAnswer(
        {
            "status": "success",
            "stats": totals_shape(totals, by_priority(depths)),
            "timestamp": timestamp(),
        }
    )
