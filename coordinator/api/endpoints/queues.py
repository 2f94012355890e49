"""Tells the sizes and statistics of task queues, clears a priority, and retires a lane."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from coordinator.api.access_control.caller import Caller
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.strict_requests import strict_request_without_body
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.queues import (
    ClearedAnswer,
    LaneRetiredAnswer,
    QueueSizesAnswer,
    QueueStatsAnswer,
    priority_shape,
    queue_shape,
)
from coordinator.api.wire.task_statistics import totals_shape
from coordinator.protocol.priority import Priority
from coordinator.registry.queries.queue_sizes import by_priority

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["Queues"], route_class=EndpointRoute)


@router.get(
    "/queues",
    summary="Tasks that wait, by priority",
    responses=responses("get_queue_sizes", QueueSizesAnswer, 503),
)
async def get_queue_sizes(wired: Wired) -> JsonAnswer:
    """From the broker at this moment, over all queues of each priority. Tasks in the hands of
    agents are not counted.
    """
    depths = await wired.queue_sizes.look()
    return JsonAnswer(
        {"status": "success", "queue_sizes": by_priority(depths), "timestamp": timestamp()}
    )


@router.get(
    "/queues/stats",
    summary="Every queue in detail",
    responses=responses("get_queue_stats", QueueStatsAnswer, 503),
)
async def get_queue_stats(wired: Wired) -> ListAnswer:
    """Each queue with the requirements of its tasks, how long they wait and how many agents listen;
    the totals of each priority, and the statistics of all tasks. Where all queues are more than 4 MiB, the
    answer has as many as fit, and `left_out` says of how many more there is only what the totals tell.
    """
    depths = await wired.queue_sizes.look()
    lines = await wired.queue_lines.lines()
    totals = await wired.registry.statistics()
    sizes = by_priority(depths)
    shown = await written(depths, lambda found: queue_shape(found, lines.get(found.source)))
    left_out = len(depths) - len(shown)
    before = {
        "status": "success",
        "queue_sizes": sizes,
        "priorities": {
            priority.value: priority_shape(depths, lines, priority) for priority in Priority
        },
    }
    after = {
        **({"left_out": left_out} if left_out else {}),
        "distribution_stats": totals_shape(totals, sizes),
        "timestamp": timestamp(),
    }
    return ListAnswer(before, "queues", shown, after)


@router.post(
    f"/queues/{{priority:{SEGMENT}}}/clear",
    summary="Clear a priority",
    dependencies=[strict_request_without_body],
    responses=responses("clear_queue", ClearedAnswer, 400, 413, 422, 503),
)
async def clear_queue(
    priority: Annotated[
        str,
        Path(
            description="In any letter case.",
            json_schema_extra={"enum": [priority.value for priority in Priority]},
        ),
    ],
    wired: Wired,
    caller: Caller,
) -> JsonAnswer:
    """Ends every task that waits at this priority: each is recorded as cancelled, with the reason
    `cleared`, before it leaves its queue. The count is exact. Tasks in the hands of agents go on.
    There is nothing to choose: a key in a body, or a query, is a 422.
    """
    wanted = Priority.parse(priority)
    count = await wired.clearer.clear(wanted, by=caller.actor)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Cleared {count} tasks from {wanted} queue",
            "priority": wanted.value,
            "cleared_count": count,
            "timestamp": timestamp(),
        }
    )


@router.post(
    f"/queues/lanes/{{lane:{SEGMENT}}}/retire",
    summary="Retire a lane",
    dependencies=[strict_request_without_body],
    responses=responses("retire_lane", LaneRetiredAnswer, 404, 409, 413, 422, 503),
)
async def retire_lane(
    lane: Annotated[
        str, Path(description="As `GET /tasks/queues/stats` names it.", examples=["cap:analysis"])
    ],
    wired: Wired,
) -> JsonAnswer:
    """Gives up the queues of a lane that nobody needs, as is done by itself with those that were unused
    for long: there is room for another at once, and the queues are deleted within a minute. A lane with
    tasks that have not ended, and the lane open to all, are a 409. The next task of the lane opens it again.
    There is nothing to choose: a key in a body, or a query, is a 422.
    """
    queues = await wired.lanes.retire(lane)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Retired lane {lane}",
            "lane": lane,
            "queues": [task_queue.queue for task_queue in queues],
            "timestamp": timestamp(),
        }
    )
