"""What is done about tasks over HTTP when things go wrong: cancel one, see what died, try again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query

from coordinator.api.acting_calls import acts_alone, acts_by
from coordinator.api.endpoint import Endpoint
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer, iso, timestamp
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT, TASK
from coordinator.api.wire.answers import (
    CancelledAnswer,
    DeadTasksAnswer,
    RedrivenAnswer,
    RedrivenManyAnswer,
    TaskDeletedAnswer,
)
from coordinator.api.wire.schemas import (
    CancelTaskBody,
    DeadTasksFilter,
    DeadTasksQuery,
    RedriveDeadBody,
    RetryTaskBody,
)
from coordinator.api.wire.shapes import dead_shape
from coordinator.domain.dead_filter import DeadFilter
from coordinator.submission.request_limits import check_data

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["When things go wrong"], route_class=Endpoint)

TaskId = Annotated[str, Path(description="The task's id, URL-encoded.")]


@router.get(
    "/dead",
    summary="Dead tasks, by error",
    responses=responses("get_dead_tasks", DeadTasksAnswer, 422, 503),
)
async def get_dead_tasks(wired: Wired, query: Annotated[DeadTasksQuery, Query()]) -> JsonAnswer:
    """The tasks whose attempts are spent, or that no attempt would do: how many died of what, and
    each, the last that died first. They stay until somebody tries them again or deletes them.
    """
    page = await wired.dead_tasks.page(
        _filter(query), limit=query.limit, cursor=query.cursor or None
    )
    return JsonAnswer(
        {
            "status": "success",
            "total": page.total,
            "groups": [
                {
                    "error_type": group.error_type,
                    "count": group.count,
                    "first_at": iso(group.first_at),
                    "last_at": iso(group.last_at),
                }
                for group in page.groups
            ],
            "tasks": [dead_shape(task) for task in page.tasks],
            "next_cursor": page.next_cursor,
            "timestamp": timestamp(),
        }
    )


@router.post(
    "/dead/redrive",
    summary="Try dead tasks again",
    dependencies=[acts_by(RedriveDeadBody)],
    responses=responses("redrive_dead_tasks", RedrivenManyAnswer, 413, 422, 503),
)
async def redrive_dead_tasks(wired: Wired, body: RedriveDeadBody | None = None) -> JsonAnswer:
    """Sends the dead tasks that match every filter round again, the first that died first; all of
    them where no filter is given. With `dry_run` it only counts them. An unknown key, or a query, is a
    422: a filter that is misspelt would match every task.
    """
    asked = body or RedriveDeadBody()
    dry_run = bool(asked.dry_run)
    limit = RedriveDeadBody.DEFAULT_LIMIT if asked.limit is None else asked.limit
    done = await wired.redriver.redrive_dead(
        _filter(asked), rate=asked.rate_per_second, limit=limit, dry_run=dry_run
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
            "last_due_at": None if done.last_due is None else iso(done.last_due),
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


@router.post(
    f"/{{task_id:{SEGMENT}}}/cancel",
    summary="Cancel a task",
    dependencies=[acts_by(CancelTaskBody)],
    responses=responses("cancel_task", CancelledAnswer, 404, 409, 413, 422, 503),
)
async def cancel_task(
    task_id: TaskId, wired: Wired, body: CancelTaskBody | None = None
) -> JsonAnswer:
    """Ends a task that has not ended, for good. `was` is the state that it was in: one that waited
    never runs; one that runs is stopped, its agent told. A task that has ended is a 409 that names
    its state.
    """
    done = await wired.canceller.cancel(task_id, None if body is None else body.reason)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Task {task_id} cancelled",
            "task_id": task_id,
            "was": done.was.value,
            "cancelled_at": iso(done.cancelled_at),
        }
    )


@router.post(
    f"/{{task_id:{SEGMENT}}}/retry",
    summary="Try an ended task again",
    dependencies=[acts_by(RetryTaskBody)],
    responses=responses("retry_task", RedrivenAnswer, 404, 409, 413, 422, 503),
)
async def retry_task(
    task_id: TaskId, wired: Wired, body: RetryTaskBody | None = None
) -> JsonAnswer:
    """Sends a task that is dead, expired or cancelled round again, as a new generation with all its
    attempts; its deadline, if it had one, no longer counts. Any other is a 409 that names its state.
    """
    asked = body or RetryTaskBody()
    if asked.task_data is not None:
        check_data(asked.task_data, "task_data", wired.limits)
    done = await wired.redriver.redrive(
        task_id,
        task_data=asked.task_data,
        delay=timedelta(seconds=asked.delay_seconds or 0),
    )
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Task {task_id} will be tried again",
            "task_id": task_id,
            "was": done.was.value,
            "generation": done.generation,
            "due_at": iso(done.due),
        }
    )


@router.delete(
    f"/{{task_id:{TASK}}}",
    summary="Delete an ended task",
    dependencies=[acts_alone],
    responses=responses("delete_task", TaskDeletedAnswer, 404, 409, 413, 422, 503),
)
async def delete_task(task_id: TaskId, wired: Wired) -> JsonAnswer:
    """Takes a task that has ended out of the ledger, with its content, its result and its timeline;
    the statistics keep counting it. One that goes on is a 409: cancel it first.
    """
    await wired.deletion.delete(task_id)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Task {task_id} deleted",
            "task_id": task_id,
            "timestamp": timestamp(),
        }
    )


def _filter(asked: DeadTasksFilter) -> DeadFilter:
    return DeadFilter(
        error_type=asked.error_type,
        lane=asked.lane,
        task_type=asked.task_type,
        submitted_from=_aware(asked.submitted_from),
        submitted_before=_aware(asked.submitted_before),
    )


def _aware(instant: datetime | None) -> datetime | None:
    """An instant without an offset is in UTC."""
    if instant is None or instant.tzinfo is not None:
        return instant
    return instant.replace(tzinfo=UTC)
