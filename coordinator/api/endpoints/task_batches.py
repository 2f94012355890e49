"""Submits many tasks in one request, and answers each with a verdict of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from pydantic_core import to_json

from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import EndpointServices, Wired
from coordinator.api.error_table import error_body, status_of
from coordinator.api.idempotent_requests import IdempotencyKey, once
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.unknown_body_keys import unknown_keys, unknown_keys_of, with_warnings
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.task_batches import BatchBody, BatchSubmitted
from coordinator.api.wire.task_submission import (
    SubmitTaskBody,
    accepted_shape,
    submit_command,
    trace_context,
    type_warning,
)
from coordinator.domain.idempotency_claim import IdempotencyClaim
from coordinator.errors import (
    BrokerUnavailable,
    CoordinatorError,
    InvalidRequest,
    OutcomeUnknown,
    PayloadTooLarge,
)
from coordinator.protocol.requirements import Requirements
from coordinator.submission.batch_submitter import Verdict
from coordinator.submission.idempotent_submission import Worked
from coordinator.submission.task_maker import Accepted, SubmitTask

__all__ = ["MOST_TASKS", "router"]

MOST_TASKS = 1000
"""Tasks in one request."""

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=EndpointRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Keeps the warnings of `unknown_keys` about a batch."""

    whole: str | None
    each: Sequence[str | None]
    """Of its tasks, in order."""


@router.post(
    "/submit/batch",
    summary="Submit many tasks",
    responses=responses("submit_batch", BatchSubmitted, 409, 413, 422, 503),
)
async def submit_batch(
    body: BatchBody, request: Request, wired: Wired, key: IdempotencyKey = None
) -> JsonAnswer:
    """Up to 1000 tasks, each as in `POST /tasks/submit`, and each with its own verdict, in order.
    Nothing is all or nothing: 200 says that every task was looked at, and `results` what came of it.

    `accepted` is the 200 of a single submission. `rejected` has the error that it would have had,
    with its status. `unknown` means that the broker did not answer: the task may have been accepted,
    and may be submitted again under the `task_id` of the verdict. A 503 for the whole means that
    nothing was accepted. A `task_id` that comes twice counts once.

    With an `Idempotency-Key` the batch may be repeated: what was accepted is not accepted again, what
    is unknown or found the service away is tried again, and once neither is left the answer is kept.
    """
    if len(body.tasks) > MOST_TASKS:
        raise InvalidRequest(
            f"tasks has {len(body.tasks)} entries: send at most {MOST_TASKS} in one request",
            field="tasks",
        )
    traceparent = trace_context(request.headers.get("traceparent", ""))
    read = [_read(raw, traceparent, wired.max_body_bytes) for raw in body.tasks]
    ignored = Ignored(
        whole=await unknown_keys_of(request, BatchBody),
        each=[unknown_keys(raw, SubmitTaskBody) for raw in body.tasks],
    )
    if key is None:
        return JsonAnswer((await _submitted(read, wired, ignored)).body)

    async def work(claim: IdempotencyClaim) -> Worked:
        ours = [
            replace(one, task_id=claim.task_id(index), repeated=not claim.fresh)
            if isinstance(one, SubmitTask)
            else one
            for index, one in enumerate(read)
        ]
        return await _submitted(ours, wired, ignored)

    return await once(key, request, wired, operation="submit batch", work=work)


async def _submitted(
    read: Sequence[SubmitTask | Exception], wired: EndpointServices, ignored: Ignored
) -> Worked:
    """Raises `BrokerUnavailable` where the broker is away and nothing was accepted."""
    wishes = [one for one in read if isinstance(one, SubmitTask)]
    told = iter(await wired.batches.submit_all(wishes))
    verdicts = [next(told) if isinstance(one, SubmitTask) else one for one in read]
    _raise_if_away(verdicts)
    accepted = {
        (one.requirements, one.task_type)
        for one, verdict in zip(read, verdicts, strict=True)
        if isinstance(one, SubmitTask) and isinstance(verdict, Accepted)
    }
    warnings = {asked: await wired.explainer.warning(*asked) for asked in accepted}
    results = [
        _result(index, verdict, with_warnings(*_warnings(one, warnings), unknown))
        for index, (one, verdict, unknown) in enumerate(
            zip(read, verdicts, ignored.each, strict=True)
        )
    ]
    counts = {
        status: sum(result["status"] == status for result in results)
        for status in ("accepted", "rejected", "unknown")
    }
    body = {
        "status": "success",
        **counts,
        "results": results,
        **with_warnings(ignored.whole),
        "timestamp": timestamp(),
    }
    return Worked(body=body, final=not any(status_of(one) >= 500 for one in _wrong(verdicts)))


def _wrong(verdicts: Sequence[Verdict | Exception]) -> list[Exception]:
    return [one for one in verdicts if isinstance(one, Exception)]


def _read(raw: Any, traceparent: str | None, most: int) -> SubmitTask | Exception:
    """What one entry asks for, or what is wrong with it."""
    if not isinstance(raw, dict):
        return InvalidRequest("The task must be a JSON object", field="task")
    try:
        wish = submit_command(SubmitTaskBody.model_validate(raw), traceparent)
    except ValidationError as exc:
        return RequestValidationError(
            [{**error, "loc": ("task", *error["loc"])} for error in exc.errors(include_url=False)]
        )
    except CoordinatorError as exc:
        return exc
    if len(to_json(raw)) > most:
        return PayloadTooLarge(f"The task is larger than {most} bytes")
    return wish


def _raise_if_away(verdicts: Sequence[Verdict | Exception]) -> None:
    away = [one for one in verdicts if isinstance(one, BrokerUnavailable)]
    if away and not any(isinstance(one, Accepted | OutcomeUnknown) for one in verdicts):
        raise away[0]


def _warnings(
    read: SubmitTask | Exception, warnings: dict[tuple[Requirements, str | None], str | None]
) -> list[str | None]:
    if not isinstance(read, SubmitTask):
        return []
    return [warnings.get((read.requirements, read.task_type)), type_warning(read.task_data)]


def _result(index: int, verdict: Verdict | Exception, warning: dict[str, str]) -> dict[str, Any]:
    if isinstance(verdict, Accepted):
        return {"index": index, "status": "accepted", **accepted_shape(verdict), **warning}
    status, body = error_body(verdict, "submit_task")
    task_id = body.pop("task_id", None)
    error = {"status_code": status} | body
    if task_id is None:
        return {"index": index, "status": "rejected", "error": error}
    return {"index": index, "status": "unknown", "task_id": task_id, "error": error}
