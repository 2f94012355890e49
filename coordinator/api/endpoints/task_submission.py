"""Tasks over HTTP: submit one, look one up, and the statistics of all."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Request

from coordinator.api.endpoint import Endpoint
from coordinator.api.endpoint_services import Wired
from coordinator.api.idempotent_requests import IdempotencyKey, once
from coordinator.api.json_answer import JsonAnswer, timestamp
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import TASK
from coordinator.api.unknown_keys import unknown_keys_of
from coordinator.api.wire.answers import Submitted, TaskAnswer, TaskStatusAnswer
from coordinator.api.wire.schemas import SubmitTaskBody
from coordinator.api.wire.shapes import task_shape, totals_shape
from coordinator.api.wire.submissions import command, submitted, trace
from coordinator.domain.idempotency_claim import IdempotencyClaim
from coordinator.registry.queries.queue_sizes import by_priority
from coordinator.submission.idempotent_submission import Worked

__all__ = ["lookup", "router"]

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=Endpoint)

lookup = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=Endpoint)
"""Included last: its path has room for any word, such as `status` and `queues`."""


@router.post(
    "/submit",
    summary="Submit a task",
    responses=responses("submit_task", Submitted, 400, 409, 413, 422, 503),
)
async def submit_task(
    body: SubmitTaskBody, request: Request, wired: Wired, key: IdempotencyKey = None
) -> JsonAnswer:
    """Answered once the broker has the task on disk: from then on it is not lost. It goes to the
    queue of its priority, its `task_type` and its requirements, and to the next agent with a free slot
    that has a handler for the type and meets the requirements.

    With a `task_data.task_id` of your own you may repeat the request: the same task is accepted
    once and answered the same, another task under that id is a 409. A 503 that carries a `task_id`
    means that the broker did not answer: the task may have been accepted. A `warning` in the answer
    says that no agent is there that could do it, so that it waits for one, and which keys of the
    request are unknown and were ignored.

    An `Idempotency-Key` does the same for a request without an id: the same key and body are answered
    the same, with `Idempotency-Replayed: true`; the same key with another body is a 409.

    With a `delay_seconds` or a `not_before` the task is `scheduled`, and the answer says until when.
    """
    wish = command(body, trace(request.headers.get("traceparent", "")))
    unknown = await unknown_keys_of(request, SubmitTaskBody)
    if key is None:
        return JsonAnswer(await submitted(wish, wired, unknown))

    async def work(claim: IdempotencyClaim) -> Worked:
        ours = replace(wish, task_id=claim.task_id(), repeated=not claim.fresh)
        return Worked(body=await submitted(ours, wired, unknown))

    return await once(key, request, wired, operation="submit", work=work)


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


@lookup.get(
    f"/{{task_id:{TASK}}}",
    summary="Look up a task",
    responses=responses("get_task", TaskAnswer, 404, 503),
)
async def get_task(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")], wired: Wired
) -> JsonAnswer:
    """Where a task stands: its state, attempts, times and agent, and its result or error."""
    task = await wired.registry.task(task_id)
    return JsonAnswer({"status": "success", "task": task_shape(task), "timestamp": timestamp()})
