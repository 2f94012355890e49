"""Reads a recurring schedule and the task that it submits, and writes schedules."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from coordinator.api.wire.fields.answer_fields import (
    AnswerModel,
    Instant,
    PriorityName,
    Submitter,
    Success,
    TaskId,
    UnknownKeysWarning,
)
from coordinator.api.wire.fields.text_patterns import ScheduleIdWord
from coordinator.domain.cron.interval import LONGEST, Interval
from coordinator.domain.cron.ticks import Missed, coming_ticks
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.task_message import describe
from coordinator.registry.stores.recurring_schedule import RecurringSchedule
from coordinator.submission.task_maker import SubmitTask

from .fields.body_configs import ignoring_unknown_keys, refusing_unknown_keys
from .fields.instants import iso, iso_or_none
from .fields.lenient_json import NO_BOOLEAN, OBJECT
from .fields.short_texts import short
from .task_submission import SubmitTaskBody, submit_command

__all__ = [
    "CreateSchedule",
    "EditSchedule",
    "ScheduleAnswer",
    "ScheduleDeleted",
    "ScheduleRun",
    "ScheduleShape",
    "ScheduleSummaryShape",
    "SchedulesAnswer",
    "run_of",
    "schedule_shape",
    "summary_shape",
]

_UTC = "UTC"

_MISSED = "What becomes of ticks while no coordinator ran: skip, once (one run for all) or all."


EverySeconds = Annotated[int, Field(ge=1, le=LONGEST), NO_BOOLEAN]

SHOWN_TICKS = 5
LISTED_TICKS = 3


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
    cron: Annotated[str, Field(max_length=200)] | None = Field(
        default=None,
        description="Minute, hour, day of month, month and day of week; or six fields, seconds first."
        " An expression that names hours runs once for each time of the day, also where clocks are"
        " changed. Instead of it there may be `every_seconds`.",
    )
    every_seconds: EverySeconds | None = Field(
        default=None,
        description="In place of `cron`: the first run comes so many seconds from now.",
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

    def ticks(self, now: datetime) -> str:
        """When it is due: its cron expression, or its interval from ``now`` on."""
        found = _ticks(self.cron, self.every_seconds, now)
        if found is None:
            raise InvalidRequest("cron is required, or every_seconds in its place", field="cron")
        if self.every_seconds is not None and self.timezone is not None:
            raise InvalidRequest(
                "timezone is for a cron expression: leave it out beside every_seconds",
                field="timezone",
            )
        return found


class EditSchedule(BaseModel):
    """Says what of a schedule is to be other than it is."""

    model_config = refusing_unknown_keys("What of a schedule is to be other.", cron="0 4 * * *")

    cron: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="As when it is created; ends an interval."
    )
    every_seconds: EverySeconds | None = Field(
        default=None, description="From now on; ends a cron expression, and its time zone."
    )
    timezone: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Of its cron expression."
    )
    missed: Annotated[str, Field(json_schema_extra={"enum": [*Missed]})] | None = Field(
        default=None, description=_MISSED
    )
    task: Annotated[SubmitTaskBody, OBJECT] | None = Field(
        default=None, description="In place of the whole task that it has."
    )

    def ticks(self, now: datetime) -> str | None:
        """As `CreateSchedule.ticks`; None where that stays as it is."""
        return _ticks(self.cron, self.every_seconds, now)


def _ticks(cron: str | None, every_seconds: int | None, now: datetime) -> str | None:
    if every_seconds is not None:
        if cron is not None:
            raise InvalidRequest(
                "cron and every_seconds cannot both be given", field="every_seconds"
            )
        return Interval.begun(every_seconds, now).text
    if cron is not None and cron.startswith("@every"):
        raise InvalidRequest(
            f"cron {cron!r} is no cron expression: write every_seconds in its place", field="cron"
        )
    return cron


class ScheduleSummaryShape(AnswerModel):
    schedule_id: str = Field(examples=["nightly-summary"])
    cron: str | None = Field(
        examples=["30 3 * * *"], description="null where it has `every_seconds`."
    )
    every_seconds: int | None = Field(
        examples=[None], description="Seconds between two ticks; null where it has `cron`."
    )
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
    next_ticks: list[Instant] = Field(
        description=f"The next ticks, at most {LISTED_TICKS} in lists and {SHOWN_TICKS} of one schedule; none"
        " while it is paused or cannot run."
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


class ScheduleRun(AnswerModel):
    status: Success
    message: str = Field(examples=["Schedule nightly-summary submitted a task"])
    schedule_id: str = Field(examples=["nightly-summary"])
    task_id: TaskId
    priority: PriorityName
    submitted_at: Instant
    warning: str | None = Field(
        default=None, description="As that of `POST /tasks/submit`.", examples=[None]
    )
    state: Literal["scheduled"] | None = Field(default=None, description="Where it is scheduled.")
    not_before: Instant | None = Field(
        default=None, description="Where it is scheduled: when it goes on its queue."
    )


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
    return {
        **summary_shape(schedule),
        "next_ticks": _next_ticks(schedule, SHOWN_TICKS),
        "task": schedule.task,
    }


def _next_ticks(schedule: RecurringSchedule, count: int) -> list[str]:
    if schedule.paused or schedule.next_at is None or schedule.unreadable is not None:
        return []
    coming = _coming(schedule.cron, schedule.timezone, schedule.next_at, count)
    return [iso(tick) for tick in coming]


@lru_cache(maxsize=2048)
def _coming(cron: str, timezone: str, first: datetime, count: int) -> tuple[datetime, ...]:
    """Kept, since a list has hundreds, and is looked at again and again between two ticks."""
    try:
        return tuple(coming_ticks(cron, timezone, first, count))
    except InvalidRequest:  # another coordinator can read it; what it has worked out is shown
        return (first,)


def summary_shape(schedule: RecurringSchedule) -> dict[str, Any]:
    """A schedule in a list as `ScheduleSummaryShape` describes it."""
    interval = _interval(schedule.cron)
    return {
        "schedule_id": schedule.schedule_id,
        "cron": schedule.cron if interval is None else None,
        "every_seconds": None if interval is None else interval.seconds,
        "timezone": schedule.timezone,
        "missed": schedule.missed.value,
        "task_type": _type_of(schedule.task),
        "created_at": iso(schedule.created_at),
        "created_by": schedule.created_by,
        "paused": schedule.paused,
        "next_at": iso_or_none(schedule.next_at),
        "next_ticks": _next_ticks(schedule, LISTED_TICKS),
        "last_run_at": iso_or_none(schedule.last_run_at),
        "last_task_id": schedule.last_task_id,
        "last_error": None if schedule.last_error is None else short(schedule.last_error),
    }


def _interval(ticks: str) -> Interval | None:
    """None also for one that was written by hand, and is shown as it is."""
    try:
        return Interval.read(ticks)
    except InvalidRequest:
        return None


def _type_of(task: dict[str, Any]) -> str | None:
    """A row of before, or one that was written by hand, may have anything in it."""
    data = task.get("task_data")
    word = data.get("task_type") if isinstance(data, dict) else None
    return word if isinstance(word, str) else None
