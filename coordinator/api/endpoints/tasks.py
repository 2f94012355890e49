"""Looks up one task, with its timeline, waits for its end; cancels, retries and deletes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from coordinator.api.access_control.authentication import spender
from coordinator.api.access_control.caller import Caller
from coordinator.api.access_control.own_things import check_submitter, check_task
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer, SplicedAnswer
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT, TASK
from coordinator.api.strict_requests import strict_request, strict_request_without_body
from coordinator.api.unknown_body_keys import with_warnings
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.fields.instants import iso, timestamp
from coordinator.api.wire.fields.page_fields import PageQuery
from coordinator.api.wire.task_submission import type_warning
from coordinator.api.wire.tasks import (
    AnsweredAnswer,
    AnswerTaskBody,
    CancelledAnswer,
    CancelTaskBody,
    RedrivenAnswer,
    RetryTaskBody,
    TaskAnswer,
    TaskDeletedAnswer,
    TimelineAnswer,
    WaitAnswer,
    WaitQuery,
    happening_shape,
    task_shape,
)
from coordinator.registry.queries.task_view import JsonText, TaskView
from coordinator.submission.request_limits import check_data

__all__ = ["lookup", "router"]

router = APIRouter(prefix="/tasks", tags=["When things go wrong"], route_class=EndpointRoute)

lookup = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=EndpointRoute)
"""Included after all others below `/tasks`: its path has room for any word, such as `status`."""

TaskId = Annotated[str, Path(description="The task's id, URL-encoded.")]


@router.post(
    f"/{{task_id:{SEGMENT}}}/cancel",
    summary="Cancel a task",
    dependencies=[strict_request(CancelTaskBody)],
    responses=responses("cancel_task", CancelledAnswer, 404, 409, 413, 422, 503),
)
async def cancel_task(
    task_id: TaskId, wired: Wired, caller: Caller, body: CancelTaskBody | None = None
) -> JsonAnswer:
    """Ends a task that has not ended, for good. `was` is the state that it was in: one that waited
    never runs; one that runs is stopped, its agent told. A task that has ended is a 409 that names
    its state.
    """
    await check_task("cancel_task", caller, task_id, wired.registry)
    reason = None if body is None else body.reason
    done = await wired.canceller.cancel(task_id, reason, by=caller.actor)
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
    f"/{{task_id:{SEGMENT}}}/input",
    summary="Answer the question of a task",
    dependencies=[strict_request(AnswerTaskBody)],
    responses=responses("answer_task", AnsweredAnswer, 404, 409, 413, 422, 503),
)
async def answer_task(
    task_id: TaskId, wired: Wired, caller: Caller, body: AnswerTaskBody
) -> JsonAnswer:
    """Gives a task that is `input_required` what it asks for: see `question` of `GET /tasks/{task_id}`. Its
    attempt goes on with the answer, or another one begins, where it gave its slot back. An answer that
    its schema or its choices do not allow is a 422 that says why; a task that asks nothing, or something
    else than `question_id`, is a 409. To send the same again is no error.
    """
    await check_task("answer_task", caller, task_id, wired.registry)
    done = await wired.answerer.answer(
        task_id, body.answer, question_id=body.question_id, by=caller.actor
    )
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Task {task_id} has its answer",
            "task_id": task_id,
            "question_id": done.question_id,
            "answered_at": iso(done.answered_at),
        }
    )


@router.post(
    f"/{{task_id:{SEGMENT}}}/retry",
    summary="Try an ended task again",
    dependencies=[strict_request(RetryTaskBody)],
    responses=responses("retry_task", RedrivenAnswer, 404, 409, 413, 422, 503),
)
async def retry_task(
    task_id: TaskId, wired: Wired, caller: Caller, body: RetryTaskBody | None = None
) -> JsonAnswer:
    """Sends a task that is dead, expired or cancelled round again, as a new generation with all its
    attempts; its deadline, if it had one, no longer counts. Any other is a 409 that names its state. A
    `warning` says, as that of a submission, that no agent is there that could do it.
    """
    asked = body or RetryTaskBody()
    if asked.task_data is not None:
        check_data(asked.task_data, "task_data", wired.limits)
    done = await wired.redriver.redrive(
        task_id,
        task_data=asked.task_data,
        delay=timedelta(seconds=asked.delay_seconds or 0),
        by=caller.actor,
    )
    warning = await wired.explainer.warning(done.task.wanted.asked, done.task.task_type)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Task {task_id} will be tried again",
            "task_id": task_id,
            "was": done.was.value,
            "generation": done.generation,
            "due_at": iso(done.due),
            **with_warnings(warning, type_warning(done.task.task_data)),
        }
    )


@router.delete(
    f"/{{task_id:{TASK}}}",
    summary="Delete an ended task",
    dependencies=[strict_request_without_body],
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


@lookup.get(
    f"/{{task_id:{SEGMENT}}}/events",
    summary="The timeline of a task",
    responses=responses("list_task_events", TimelineAnswer, 404, 422, 503),
)
async def list_task_events(
    task_id: TaskId,
    query: Annotated[PageQuery, Query()],
    wired: Wired,
    caller: Caller,
) -> ListAnswer:
    """Everything that happened to a task in the order of the log, with every attempt: the oldest
    first. A page has 4 MiB at most, and fewer events than `limit` where they are large.
    """
    await check_task("list_task_events", caller, task_id, wired.registry)
    found = await wired.browsing.timeline(
        task_id, after=cursors.EVENTS.read(query.cursor), limit=query.limit
    )
    shown = await written(found.events, happening_shape)
    cut = len(shown) < len(found.events)
    following = found.events[len(shown) - 1].position if cut else found.following
    after = {
        "count": len(shown),
        "next_cursor": cursors.EVENTS.write(following),
        "timestamp": timestamp(),
    }
    return ListAnswer({"status": "success", "task_id": task_id}, "events", shown, after)


@lookup.get(
    f"/{{task_id:{SEGMENT}}}/wait",
    summary="Wait for the end of a task",
    responses=responses("wait_for_task", WaitAnswer, 404, 422, 503),
)
async def wait_for_task(
    task_id: TaskId,
    query: Annotated[WaitQuery, Query()],
    request: Request,
    wired: Wired,
    caller: Caller,
) -> Response:
    """Answers the moment the task ends, or after `timeout` seconds with the task as it stands then:
    `ended` tells which. A client's own time-out must be longer.
    """
    await check_task("wait_for_task", caller, task_id, wired.registry)
    with wired.quotas.waiting(spender(request.scope)):
        task = await wired.browsing.wait(task_id, timedelta(seconds=query.timeout))
    return _task_answer({"status": "success", "ended": task.ended}, task)


@lookup.get(
    f"/{{task_id:{TASK}}}",
    summary="Look up a task",
    responses=responses("get_task", TaskAnswer, 404, 503),
)
async def get_task(task_id: TaskId, wired: Wired, caller: Caller) -> Response:
    """Where a task stands: its state, attempts, times and agent, and its result or error."""
    task = await wired.registry.task(task_id)
    check_submitter("get_task", caller, task.submitted_by)
    return _task_answer({"status": "success"}, task)


def _task_answer(before: dict[str, Any], task: TaskView) -> Response:
    """A large result stands in the answer as the ledger has it."""
    shape = task_shape(task)
    after = {"timestamp": timestamp()}
    if isinstance(task.result, JsonText):
        del shape["result"]
        return SplicedAnswer(before, "task", shape, "result", task.result.content, after)
    return JsonAnswer({**before, "task": shape, **after})
