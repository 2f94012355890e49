"""Submits many tasks in one request, and answers each with a verdict of its own."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from coordinator.api.access_control.batch_cost import spend_batch
from coordinator.api.access_control.caller import Caller
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import EndpointServices, Wired
from coordinator.api.error_table import error_body, status_of
from coordinator.api.idempotent_requests import IdempotencyKey, once
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import responses
from coordinator.api.plain_requests import request_trace
from coordinator.api.unknown_body_keys import unknown_keys, unknown_keys_of, with_warnings
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.task_batches import BatchBody, BatchSubmitted
from coordinator.api.wire.task_submission import (
    BatchLabels,
    SubmitTaskBody,
    accepted_shape,
    submit_command,
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
from coordinator.protocol.ids import new_id
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.trace_context import TraceContext
from coordinator.submission.batch_submitter import Verdict
from coordinator.submission.idempotent_submission import Worked
from coordinator.submission.request_limits import check_group, check_tags
from coordinator.submission.task_maker import Accepted, SubmitTask

__all__ = ["MOST_TASKS", "read_batch", "router", "submit_batch_and_answer"]

MOST_TASKS = 1000
"""Tasks in one request."""

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=EndpointRoute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Keeps what a request asks for, task by task."""

    tasks: Sequence[SubmitTask | Exception]
    """Each, or what is wrong with it."""
    ignored: Sequence[str | None]
    """For each the warning of its unknown keys."""
    unknown: str | None
    """That of the batch's own."""
    group: str
    """Of those of its tasks that name none."""


@router.post(
    "/submit/batch",
    summary="Submit many tasks",
    responses=responses("submit_batch", BatchSubmitted, 409, 413, 422, 503),
)
async def submit_batch(
    body: BatchBody,
    request: Request,
    wired: Wired,
    caller: Caller,
    key: IdempotencyKey = None,
) -> JsonAnswer:
    """Up to 1000 tasks, each as in `POST /tasks/submit`, and each with its own verdict, in order.
    Nothing is all or nothing: 200 says that every task was looked at, and `results` what came of it.

    `accepted` is the 200 of a single submission. `rejected` has the error that it would have had,
    with its status. `unknown` means that the broker did not answer: the task may have been accepted,
    and may be submitted again under the `task_id` of the verdict. A 503 for the whole means that
    nothing was accepted. A `task_id` that comes twice counts once.

    With an `Idempotency-Key` the batch may be repeated: what was accepted is not accepted again, what
    is unknown or found the service away is tried again, and once neither is left the answer is kept.

    A batch is a group: `group` in the answer is its id, by which `GET /groups/{group_id}` tells how its tasks
    stand. A `group` of the request's own takes its place, as that of a task does for this task.
    """
    batch = read_batch(
        body,
        request_trace(request.headers),
        caller.actor,
        unknown=await unknown_keys_of(request, BatchBody),
        max_task_bytes=wired.max_body_bytes,
    )
    spend_batch(wired.rates, request.scope, len(batch.tasks))
    if key is None:
        return JsonAnswer((await submit_batch_and_answer(batch, wired)).body)

    async def work(claim: IdempotencyClaim) -> Worked:
        group = claim.group_id() if body.group is None else batch.group
        ours = [
            replace(
                one,
                task_id=claim.task_id(index),
                repeated=not claim.fresh,
                batch=None if one.batch is None else group,
            )
            if isinstance(one, SubmitTask)
            else one
            for index, one in enumerate(batch.tasks)
        ]
        return await submit_batch_and_answer(replace(batch, tasks=ours, group=group), wired)

    return await once(key, request, wired, operation="submit batch", work=work)


def read_batch(
    body: BatchBody,
    trace: TraceContext | None,
    by: str | None,
    *,
    unknown: str | None,
    max_task_bytes: int,
) -> Batch:
    """What ``body`` asks for, of the caller ``by``; ``unknown`` is the warning of its unknown keys.
    Raises `InvalidRequest` for too many tasks.
    """
    if len(body.tasks) > MOST_TASKS:
        raise InvalidRequest(
            f"tasks has {len(body.tasks)} entries: send at most {MOST_TASKS} in one request",
            field="tasks",
        )
    tags = body.tags or ()
    check_tags(tags)
    if body.group is not None:
        check_group(body.group)
    made = _group_of(body.tasks, by) if body.group is None else None
    labels = BatchLabels(group=body.group, batch=made, tags=tags)
    reading = _Reading(trace=trace, by=by, labels=labels, max_task_bytes=max_task_bytes)
    return Batch(
        tasks=_read_all(body.tasks, reading),
        ignored=[unknown_keys(raw, SubmitTaskBody) for raw in body.tasks],
        unknown=unknown,
        group=body.group or made or "",
    )


_GROUPS = uuid.UUID("2f0f1d5a-1d55-4c8e-9d0d-5d9d3f6c1c07")


def _group_of(tasks: Sequence[Any], by: str | None) -> str:
    """The id of a batch that names none. Where each of its tasks has an id of its own, so that the batch may
    be repeated, a repetition has the same.
    """
    ids = [_own_id(task) for task in tasks]
    if not ids or None in ids:
        return new_id()
    return str(uuid.uuid5(_GROUPS, json.dumps([by, ids])))


def _own_id(task: Any) -> str | None:
    data = task.get("task_data") if isinstance(task, dict) else None
    task_id = data.get("task_id") if isinstance(data, dict) else None
    return task_id if isinstance(task_id, str) else None


async def submit_batch_and_answer(batch: Batch, wired: EndpointServices) -> Worked:
    """Submits all, and gives the body of the answer. Raises `BrokerUnavailable` where the broker is away and
    nothing was accepted.
    """
    wishes = [one for one in batch.tasks if isinstance(one, SubmitTask)]
    if wishes:
        wired.quotas.submit(wishes[0].submitted_by, len(wishes))
    told = iter(await wired.batches.submit_all(wishes))
    verdicts = [next(told) if isinstance(one, SubmitTask) else one for one in batch.tasks]
    _raise_if_away(verdicts)
    warnings = await _warnings(batch.tasks, verdicts, wired)
    results = [
        _result(index, verdict, with_warnings(warning, unknown))
        for index, (verdict, warning, unknown) in enumerate(
            zip(verdicts, warnings, batch.ignored, strict=True)
        )
    ]
    told_of = Counter(result["status"] for result in results)
    body = {
        "status": "success",
        **{status: told_of[status] for status in ("accepted", "rejected", "unknown")},
        "results": results,
        "group": _told_group(batch.group, verdicts),
        **with_warnings(batch.unknown),
        "timestamp": timestamp(),
    }
    return Worked(body=body, final=not any(status_of(one) >= 500 for one in _wrong(verdicts)))


def _told_group(group: str, verdicts: Sequence[Verdict | Exception]) -> str | None:
    """That of the tasks that are or may be accepted: of a batch that was sent before, the one of then."""
    groups = {one.group for one in verdicts if isinstance(one, Accepted)}
    if group in groups or any(isinstance(one, OutcomeUnknown) for one in verdicts):
        return group
    return groups.pop() if len(groups) == 1 else None


def _wrong(verdicts: Sequence[Verdict | Exception]) -> list[Exception]:
    return [one for one in verdicts if isinstance(one, Exception)]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Says how the entries of a request are read."""

    trace: TraceContext | None
    by: str | None
    labels: BatchLabels
    max_task_bytes: int

    def command(self, body: SubmitTaskBody) -> SubmitTask:
        return submit_command(body, self.trace, self.by, self.labels)


def _read_all(raw: Sequence[Any], how: _Reading) -> list[SubmitTask | Exception]:
    """What each entry asks for, or what is wrong with it. All are validated at once, and measured at once:
    only where one of them is wrong is each looked at by itself.
    """
    try:
        if len(to_json(raw)) <= how.max_task_bytes:
            bodies = _bodies.validate_python(raw)
            return [how.command(body) for body in bodies]
    except (ValidationError, CoordinatorError):
        pass
    return [_read(one, how) for one in raw]


_bodies = TypeAdapter(list[SubmitTaskBody])


def _read(raw: Any, how: _Reading) -> SubmitTask | Exception:
    """What one entry asks for, or what is wrong with it."""
    if not isinstance(raw, dict):
        return InvalidRequest("The task must be a JSON object", field="task")
    try:
        wish = how.command(SubmitTaskBody.model_validate(raw))
    except ValidationError as exc:
        return RequestValidationError(
            [{**error, "loc": ("task", *error["loc"])} for error in exc.errors(include_url=False)]
        )
    except CoordinatorError as exc:
        return exc
    if len(to_json(raw)) > how.max_task_bytes:
        return PayloadTooLarge(f"The task is larger than {how.max_task_bytes} bytes")
    return wish


def _raise_if_away(verdicts: Sequence[Verdict | Exception]) -> None:
    away = [one for one in verdicts if isinstance(one, BrokerUnavailable)]
    if away and not any(isinstance(one, Accepted | OutcomeUnknown) for one in verdicts):
        raise away[0]


async def _warnings(
    tasks: Sequence[SubmitTask | Exception],
    verdicts: Sequence[Verdict | Exception],
    wired: EndpointServices,
) -> list[str | None]:
    """For each that was accepted, what its producer should know of it. Those that ask for the same are
    looked at once.
    """
    known: dict[tuple[Requirements, str | None], str | None] = {}
    told: list[str | None] = []
    for task, verdict in zip(tasks, verdicts, strict=True):
        if not isinstance(task, SubmitTask) or not isinstance(verdict, Accepted):
            told.append(None)
            continue
        asked = task.requirements, task.task_type
        if asked not in known:
            known[asked] = await wired.explainer.warning(*asked)
        told.append(with_warnings(known[asked], type_warning(task.task_data)).get("warning"))
    return told


def _result(index: int, verdict: Verdict | Exception, warning: dict[str, str]) -> dict[str, Any]:
    if isinstance(verdict, Accepted):
        return {"index": index, "status": "accepted", **accepted_shape(verdict), **warning}
    status, body = error_body(verdict, "submit_task")
    task_id = body.pop("task_id", None)
    error = {"status_code": status} | body
    if task_id is None:
        return {"index": index, "status": "rejected", "error": error}
    return {"index": index, "status": "unknown", "task_id": task_id, "error": error}
