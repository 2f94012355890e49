"""Creates, lists, changes, runs, pauses, resumes and deletes recurring schedules of tasks."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from coordinator.api.access_control.caller import Caller
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import EndpointServices, Wired
from coordinator.api.idempotent_requests import IdempotencyKey, once
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.plain_requests import request_trace
from coordinator.api.strict_requests import strict_request, strict_request_without_body
from coordinator.api.unknown_body_keys import unknown_keys_of, with_warnings
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.schedules import (
    _UTC,
    CreateSchedule,
    EditSchedule,
    ScheduleAnswer,
    ScheduleDeleted,
    ScheduleRun,
    SchedulesAnswer,
    run_of,
    schedule_shape,
    summary_shape,
)
from coordinator.api.wire.task_submission import (
    SubmitTaskBody,
    accepted_shape,
    submit_command,
    type_warning,
)
from coordinator.domain.cron.ticks import Missed
from coordinator.domain.idempotency_claim import IdempotencyClaim
from coordinator.errors import InvalidPriority, InvalidRequest, WrongState
from coordinator.protocol.ids import new_id
from coordinator.protocol.trace_context import TraceContext
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.registry.stores.schedule_edits import ScheduleEdit
from coordinator.submission.idempotent_submission import Worked
from coordinator.submission.task_maker import SubmitTask

__all__ = ["router", "run_of"]

router = APIRouter(prefix="/schedules", tags=["Schedules"], route_class=EndpointRoute)

ScheduleId = Annotated[str, Path(description="The schedule's id, URL-encoded.")]


@router.post(
    "",
    summary="Create a schedule",
    responses=responses("create_schedule", ScheduleAnswer, 400, 409, 413, 422, 503),
)
async def create_schedule(
    body: CreateSchedule, request: Request, wired: Wired, caller: Caller
) -> JsonAnswer:
    """With a `cron` expression, or with `every_seconds`.

    From the next tick on the task is submitted at each, once, however many coordinators run. On
    time to a second and a half. A `warning` names keys of the request that are unknown and were
    ignored, and a `task_type` that is no string.
    """
    await _check_task(body.task, wired)
    now = datetime.now(UTC)
    schedule = RecurringSchedule(
        schedule_id=body.schedule_id or new_id(),
        cron=body.ticks(now),
        timezone=_UTC if body.timezone is None else body.timezone,
        missed=_missed(body.missed) or Missed.SKIP,
        task=body.task.model_dump(exclude_none=True),
        created_at=now,
        next_at=None,
        created_by=caller.actor,
    )
    unknown = await unknown_keys_of(request, CreateSchedule)
    made = await wired.schedules.create(schedule, most=wired.quotas.schedules)
    return _answer(made, type_warning(body.task.task_data), unknown)


@router.get(
    "",
    summary="List schedules",
    responses=responses("list_schedules", SchedulesAnswer, 422, 503),
)
async def list_schedules(
    wired: Wired,
    limit: Annotated[int, Query(ge=1, le=200, description="Schedules on one page.")] = 50,
    cursor: Annotated[
        str,
        Query(max_length=128, pattern=r"^[^\x00]*$", description="`next_cursor` of a page."),
    ] = "",
) -> ListAnswer:
    """By id, a page at a time, with fewer than `limit` where they are large. What each submits, whole, is at
    `GET /schedules/{schedule_id}`.
    """
    found, more = await wired.schedules.page(cursor, limit)
    shown = await written(found, summary_shape)
    after = {
        "count": len(shown),
        "next_cursor": found[len(shown) - 1].schedule_id
        if more or len(shown) < len(found)
        else None,
        "timestamp": timestamp(),
    }
    return ListAnswer({"status": "success"}, "schedules", shown, after)


@router.get(
    f"/{{schedule_id:{SEGMENT}}}",
    summary="Look up a schedule",
    responses=responses("get_schedule", ScheduleAnswer, 404, 503),
)
async def get_schedule(schedule_id: ScheduleId, wired: Wired) -> JsonAnswer:
    """When it runs next, and how its last run went."""
    return _answer(await wired.schedules.get(schedule_id))


@router.patch(
    f"/{{schedule_id:{SEGMENT}}}",
    summary="Change a schedule",
    dependencies=[strict_request(EditSchedule)],
    responses=responses("edit_schedule", ScheduleAnswer, 400, 404, 409, 413, 422, 503),
)
async def edit_schedule(schedule_id: ScheduleId, body: EditSchedule, wired: Wired) -> JsonAnswer:
    """What is left out stays; `task` takes the place of the whole task. Its runs stay those of who made it.

    A tick that is due, and is not being submitted yet, is run as the schedule is then; while one is being
    submitted, when it is due cannot be changed: a 409.
    """
    if not body.model_dump(exclude_none=True):
        raise InvalidRequest(
            "Nothing was changed, because nothing was named: send cron, every_seconds, timezone, missed or"
            " task",
            field="body",
        )
    if body.task is not None:
        await _check_task(body.task, wired)
    wanted = ScheduleEdit(
        cron=body.ticks(datetime.now(UTC)),
        timezone=body.timezone,
        missed=_missed(body.missed),
        task=None if body.task is None else body.task.model_dump(exclude_none=True),
    )
    edited = await wired.schedules.edit(schedule_id, wanted)
    return _answer(edited, None if body.task is None else type_warning(body.task.task_data))


@router.post(
    f"/{{schedule_id:{SEGMENT}}}/run",
    summary="Run a schedule now",
    dependencies=[strict_request_without_body],
    responses=responses("run_schedule", ScheduleRun, 400, 404, 409, 413, 422, 503),
)
async def run_schedule(
    schedule_id: ScheduleId, request: Request, wired: Wired, key: IdempotencyKey = None
) -> JsonAnswer:
    """Submits its task once, beside its ticks, which stay as they are; also while it is paused. With an
    `Idempotency-Key` the request may be repeated.
    """
    trace = request_trace(request.headers)
    if key is None:
        wish = await _wish(schedule_id, trace, wired)
        return JsonAnswer(await _run(schedule_id, wish, wired))

    async def work(claim: IdempotencyClaim) -> Worked:
        wish = await _wish(schedule_id, trace, wired)
        ours = replace(wish, task_id=claim.task_id(), repeated=not claim.fresh)
        return Worked(body=await _run(schedule_id, ours, wired))

    return await once(key, request, wired, operation=f"run schedule {schedule_id}", work=work)


async def _wish(
    schedule_id: str, trace: TraceContext | None, wired: EndpointServices
) -> SubmitTask:
    """Raises `ScheduleNotFound`, or `WrongState` where it cannot be read."""
    found = await wired.schedules.get(schedule_id)
    if found.unreadable is not None:
        raise WrongState(f"It cannot be run: {found.unreadable}. Delete it, and make it anew")
    return replace(run_of(found.task, found.created_by), trace=trace)


async def _run(schedule_id: str, wish: SubmitTask, wired: EndpointServices) -> dict[str, Any]:
    wired.quotas.submit(wish.submitted_by)
    accepted = await wired.submitter.submit(wish)
    warning = await wired.explainer.warning(wish.requirements, wish.task_type)
    return {
        "status": "success",
        "message": f"Schedule {schedule_id} submitted a task",
        "schedule_id": schedule_id,
        **accepted_shape(accepted),
        **with_warnings(warning, type_warning(wish.task_data)),
    }


@router.post(
    f"/{{schedule_id:{SEGMENT}}}/pause",
    summary="Pause a schedule",
    dependencies=[strict_request_without_body],
    responses=responses("pause_schedule", ScheduleAnswer, 404, 413, 422, 503),
)
async def pause_schedule(schedule_id: ScheduleId, wired: Wired) -> JsonAnswer:
    """Its ticks pass without a run until it is resumed; they do not count as missed."""
    return _answer(await wired.schedules.pause(schedule_id))


@router.post(
    f"/{{schedule_id:{SEGMENT}}}/resume",
    summary="Resume a schedule",
    dependencies=[strict_request_without_body],
    responses=responses("resume_schedule", ScheduleAnswer, 404, 409, 413, 422, 503),
)
async def resume_schedule(schedule_id: ScheduleId, wired: Wired) -> JsonAnswer:
    """From the next tick on it runs again."""
    return _answer(await wired.schedules.resume(schedule_id))


@router.delete(
    f"/{{schedule_id:{SEGMENT}}}",
    summary="Delete a schedule",
    dependencies=[strict_request_without_body],
    responses=responses("delete_schedule", ScheduleDeleted, 404, 413, 422, 503),
)
async def delete_schedule(schedule_id: ScheduleId, wired: Wired) -> JsonAnswer:
    """Tasks that it has submitted stay."""
    await wired.schedules.delete(schedule_id)
    return JsonAnswer(
        {
            "status": "success",
            "message": f"Schedule {schedule_id} deleted",
            "schedule_id": schedule_id,
            "timestamp": timestamp(),
        }
    )


def _missed(word: str | None) -> Missed | None:
    try:
        return None if word is None else Missed(word)
    except ValueError:
        raise InvalidRequest(
            f"missed {word!r} is not one of: {', '.join(Missed)}", field="missed"
        ) from None


async def _check_task(body: SubmitTaskBody, wired: EndpointServices) -> None:
    """What would be refused at every tick is refused now, by what would refuse it then."""
    if body.task_data.get("task_id") is not None:
        raise InvalidRequest(
            "task.task_data.task_id cannot be given: each run has an id of its own",
            field="task.task_data.task_id",
        )
    for name, instead in (("not_before", "delay_seconds"), ("expires_at", "expires_in_seconds")):
        if getattr(body, name) is not None:
            raise InvalidRequest(
                f"task.{name} would be the same for each run: write {instead}, which counts from its"
                " tick",
                field=f"task.{name}",
            )
    try:
        await wired.submitter.check(submit_command(body, None))
    except InvalidPriority:
        raise
    except InvalidRequest as exc:
        field = f"task.{exc.field}" if exc.field else "task"
        message = str(exc).replace(exc.field, field, 1) if exc.field else f"task: {exc}"
        raise InvalidRequest(message, field=field) from exc


def _answer(schedule: RecurringSchedule, *warnings: str | None) -> JsonAnswer:
    return JsonAnswer(
        {
            "status": "success",
            "schedule": schedule_shape(schedule),
            **with_warnings(*warnings),
            "timestamp": timestamp(),
        }
    )
