"""Reads a recurring schedule and the task that it submits, and writes schedules."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

from coordinator.api.wire.fields.answer_fields import (
    AnswerModel,
    Instant,
    Submitter,
    Success,
    TaskId,
    UnknownKeysWarning,
)
from coordinator.api.wire.fields.text_patterns import ScheduleIdWord
from coordinator.domain.cron.ticks import Missed
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.task_message import describe
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.submission.task_maker import SubmitTask

from .fields.body_configs import ignoring_unknown_keys
from .fields.instants import iso, iso_or_none
from .fields.lenient_json import OBJECT
from .fields.short_texts import short
from .task_submission import SubmitTaskBody, submit_command

__all__ = [
    "CreateSchedule",
    "ScheduleAnswer",
    "ScheduleDeleted",
    "ScheduleShape",
    "ScheduleSummaryShape",
    "SchedulesAnswer",
    "run_of",
    "schedule_shape",
    "summary_shape",
]

_UTC = "UTC"

_MISSED = "What becomes of ticks while no coordinator ran: skip, once (one run for all) or all."


class CreateSchedule(BaseModel):
    """A task, and when it is submitted."""

    model_config = ignoring_unknown_keys(
        schedule_id="nightly-summary",
        cron="30 3 * * *",
        timezone="Europe/Vienna",
        task={"task_data": {"task_type": "summary"}, "priority": "low"},
    )

    schedule_id: ScheduleIdWord | None = Field(
        default=None, description="By default one is made up."
    )
    cron: str = Field(
        max_length=200,
        description="Minute, hour, day of month, month and day of week; or six fields, seconds first."
        " An expression that names hours runs once for each time of the day, also where clocks are"
        " changed.",
    )
    timezone: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description=f"Such as `Europe/Vienna`. By default `{_UTC}`."
    )
    missed: Annotated[str, Field(json_schema_extra={"enum": [*Missed]})] | None = Field(
        default=None, description=f"{_MISSED} By default `{Missed.SKIP.value}`."
    )
    task: Annotated[SubmitTaskBody, OBJECT] = Field(
        description="What `POST /tasks/submit` takes, but for `task_data.task_id`: each run has its own."
    )


class ScheduleSummaryShape(AnswerModel):
    schedule_id: str = Field(examples=["nightly-summary"])
    cron: str = Field(examples=["30 3 * * *"])
    timezone: str = Field(examples=["Europe/Vienna"])
    missed: str = Field(examples=["skip"], description=_MISSED)
    task_type: str | None = Field(
        examples=["summary"], description="`task_data.task_type` of its task; null for none."
    )
    created_at: Instant
    created_by: Submitter
    paused: bool
    next_at: Instant | None = Field(
        description="The next tick; null where there is none, or where `last_error` says that it"
        " cannot run any more."
    )
    last_run_at: Instant | None = Field(description="The last tick that was run.")
    last_task_id: TaskId | None = Field(description="The task of that run.")
    last_error: str | None = Field(description="Why the last tick could not be submitted.")


class ScheduleShape(ScheduleSummaryShape):
    task: dict[str, Any] = Field(
        examples=[{"task_data": {"task_type": "summary"}}], description="Not in lists."
    )


class ScheduleAnswer(AnswerModel):
    status: Success
    schedule: ScheduleShape
    warning: UnknownKeysWarning
    timestamp: Instant


class SchedulesAnswer(AnswerModel):
    status: Success
    schedules: list[ScheduleSummaryShape]
    count: int
    next_cursor: str | None = Field(description="For the next page; null on the last one.")
    timestamp: Instant


class ScheduleDeleted(AnswerModel):
    status: Success
    message: str = Field(examples=["Schedule nightly-summary deleted"])
    schedule_id: str = Field(examples=["nightly-summary"])
    timestamp: Instant


def run_of(task: dict[str, Any], by: str | None = None) -> SubmitTask:
    """The command that is submitted at a tick of a schedule with this ``task``, made by that caller.
    Raises `InvalidRequest` where it can no longer be read.
    """
    try:
        return submit_command(SubmitTaskBody.model_validate(task), None, by)
    except ValidationError as exc:
        raise InvalidRequest(f"The task cannot be read: {describe(exc)}") from exc


def schedule_shape(schedule: RecurringSchedule) -> dict[str, Any]:
    """A schedule as `ScheduleShape` describes it."""
    return {**summary_shape(schedule), "task": schedule.task}


def summary_shape(schedule: RecurringSchedule) -> dict[str, Any]:
    """A schedule in a list as `ScheduleSummaryShape` describes it."""
    return {
        "schedule_id": schedule.schedule_id,
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "missed": schedule.missed.value,
        "task_type": _type_of(schedule.task),
        "created_at": iso(schedule.created_at),
        "created_by": schedule.created_by,
        "paused": schedule.paused,
        "next_at": iso_or_none(schedule.next_at),
        "last_run_at": iso_or_none(schedule.last_run_at),
        "last_task_id": schedule.last_task_id,
        "last_error": None if schedule.last_error is None else short(schedule.last_error),
    }


def _type_of(task: dict[str, Any]) -> str | None:
    """A row of before, or one that was written by hand, may have anything in it."""
    data = task.get("task_data")
    word = data.get("task_type") if isinstance(data, dict) else None
    return word if isinstance(word, str) else None
