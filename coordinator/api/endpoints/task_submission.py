"""Submits one task: `POST /tasks/submit`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request

from coordinator.api.access_control.caller import Caller
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import EndpointServices, Wired
from coordinator.api.idempotent_requests import IdempotencyKey, once
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.plain_requests import request_trace
from coordinator.api.unknown_body_keys import unknown_keys_of, with_warnings
from coordinator.api.wire.task_submission import (
    SubmitTaskBody,
    Submitted,
    accepted_shape,
    submit_command,
    type_warning,
)
from coordinator.domain.idempotency_claim import IdempotencyClaim
from coordinator.submission.idempotent_submission import Worked
from coordinator.submission.task_maker import SubmitTask

__all__ = ["router", "submit_and_answer"]

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=EndpointRoute)


@router.post(
    "/submit",
    summary="Submit a task",
    responses=responses("submit_task", Submitted, 400, 409, 413, 422, 503),
)
async def submit_task(
    body: SubmitTaskBody,
    request: Request,
    wired: Wired,
    caller: Caller,
    key: IdempotencyKey = None,
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
    wish = submit_command(body, request_trace(request.headers), caller.actor)
    unknown = await unknown_keys_of(request, SubmitTaskBody)
    if key is None:
        return JsonAnswer(await submit_and_answer(wish, wired, unknown))

    async def work(claim: IdempotencyClaim) -> Worked:
        ours = replace(wish, task_id=claim.task_id(), repeated=not claim.fresh)
        return Worked(body=await submit_and_answer(ours, wired, unknown))

    return await once(key, request, wired, operation="submit", work=work)


async def submit_and_answer(
    wish: SubmitTask, wired: EndpointServices, unknown: str | None
) -> dict[str, Any]:
    """Submits ``wish`` and gives the body of the answer; ``unknown`` is the warning of its unknown keys.
    Raises what `Submitter.submit` does.
    """
    wired.quotas.submit(wish.submitted_by)
    accepted = await wired.submitter.submit(wish)
    answer = {
        "status": "success",
        "message": "Task submitted successfully",
        **accepted_shape(accepted),
    }
    warning = await wired.explainer.warning(wish.requirements, wish.task_type)
    return answer | with_warnings(warning, type_warning(wish.task_data), unknown)
