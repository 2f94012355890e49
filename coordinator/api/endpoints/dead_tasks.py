"""Lists dead tasks by error, and redrives them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from coordinator.api.access_control.caller import Caller
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.strict_requests import strict_request
from coordinator.api.wire.dead_tasks import (
    DeadTasksAnswer,
    DeadTasksQuery,
    RedriveDeadBody,
    RedrivenManyAnswer,
    dead_filter,
    dead_group_shape,
    dead_task_shape,
)
from coordinator.api.wire.fields.instants import iso_or_none, timestamp
from coordinator.registry.queries.dead_tasks import dead_cursor

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["When things go wrong"], route_class=EndpointRoute)


@router.get(
    "/dead",
    summary="Dead tasks, by error",
    responses=responses("get_dead_tasks", DeadTasksAnswer, 422, 503),
)
async def get_dead_tasks(wired: Wired, query: Annotated[DeadTasksQuery, Query()]) -> ListAnswer:
    """The tasks whose attempts are spent, or that no attempt would do: how many died of what, and
    each, the last that died first. They stay until somebody tries them again or deletes them. Texts of
    agents have 1000 characters at most; a page has 4 MiB, and fewer tasks than `limit` where they are large.
    """
    page = await wired.dead_tasks.page(
        dead_filter(query), limit=query.limit, cursor=query.cursor or None
    )
    shown = await written(page.tasks, dead_task_shape)
    cut = len(shown) < len(page.tasks)
    before = {
        "status": "success",
        "total": page.total,
        "groups": [dead_group_shape(group) for group in page.groups],
    }
    after = {
        "next_cursor": dead_cursor(page.tasks[len(shown) - 1]) if cut else page.next_cursor,
        "timestamp": timestamp(),
    }
    return ListAnswer(before, "tasks", shown, after)


@router.post(
    "/dead/redrive",
    summary="Try dead tasks again",
    dependencies=[strict_request(RedriveDeadBody)],
    responses=responses("redrive_dead_tasks", RedrivenManyAnswer, 413, 422, 503),
)
async def redrive_dead_tasks(
    wired: Wired, caller: Caller, body: RedriveDeadBody | None = None
) -> JsonAnswer:
    """Sends the dead tasks that match every filter round again, the first that died first; all of
    them where no filter is given. With `dry_run` it only counts them. An unknown key, or a query, is a
    422: a filter that is misspelt would match every task.
    """
    asked = body or RedriveDeadBody()
    dry_run = bool(asked.dry_run)
    limit = RedriveDeadBody.DEFAULT_LIMIT if asked.limit is None else asked.limit
    done = await wired.redriver.redrive_dead(
        dead_filter(asked),
        rate=asked.rate_per_second,
        limit=limit,
        dry_run=dry_run,
        by=caller.actor,
    )
    verb = "would be redriven" if dry_run else "redriven"
    count = min(done.matched, limit) if dry_run else done.redriven
    return JsonAnswer(
        {
            "status": "success",
            "message": f"{count} of {done.matched} dead tasks {verb}{_left(done.too_large)}",
            "dry_run": dry_run,
            "matched": done.matched,
            "redriven": done.redriven,
            "last_due_at": iso_or_none(done.last_due),
            "timestamp": timestamp(),
        }
    )


def _left(too_large: int) -> str:
    if not too_large:
        return ""
    are = "1 is" if too_large == 1 else f"{too_large} are"
    return (
        f"; {are} larger than the broker takes: raise max_message_size, or redrive with other data"
    )
