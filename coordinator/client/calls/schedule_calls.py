"""Asks for schedules; creates, changes, runs, pauses, resumes and deletes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from coordinator.client.exchange.answer_reading import part, read_as
from coordinator.client.exchange.http_messages import Call, request
from coordinator.client.models.pages import Page
from coordinator.client.models.schedules import Schedule, ScheduleDeleted
from coordinator.client.models.tasks import NewTask

from .submission import submission_body

__all__ = [
    "create_schedule",
    "delete_schedule",
    "edit_schedule",
    "pause_schedule",
    "resume_schedule",
    "run_schedule",
    "schedule",
    "schedules",
]


def create_schedule(
    cron: str | None,
    task: NewTask | Mapping[str, Any],
    *,
    every_seconds: int | None = None,
    schedule_id: str | None = None,
    timezone: str | None = None,
    missed: str | None = None,
) -> Call[Schedule]:
    """Submit ``task`` at each tick of ``cron``, or with None for that every so many seconds. A mapping is
    taken for the task's data.
    """
    body = {
        "schedule_id": schedule_id,
        "cron": cron,
        "every_seconds": every_seconds,
        "timezone": timezone,
        "missed": missed,
        "task": submission_body(task),
    }
    return Call(request("POST", "schedules", json_body=body), _schedule)


def schedules(*, limit: int | None = None, cursor: str | None = None) -> Call[Page[Schedule]]:
    """A page of the schedules."""
    asked = request("GET", "schedules", query={"limit": limit, "cursor": cursor})

    def read(body: dict[str, Any]) -> Page[Schedule]:
        found = read_as(tuple[Schedule, ...], part(body, "schedules"))
        return Page(items=found, next_cursor=body.get("next_cursor"))

    return Call(asked, read)


def schedule(schedule_id: str) -> Call[Schedule]:
    """When it runs next, and how its last run went."""
    return Call(request("GET", "schedules", schedule_id), _schedule)


def edit_schedule(
    schedule_id: str,
    *,
    cron: str | None = None,
    every_seconds: int | None = None,
    timezone: str | None = None,
    missed: str | None = None,
    task: NewTask | Mapping[str, Any] | None = None,
) -> Call[Schedule]:
    """Have it be other than it is; what is None stays. A mapping is taken for the task's data."""
    body = {
        "cron": cron,
        "every_seconds": every_seconds,
        "timezone": timezone,
        "missed": missed,
        "task": None if task is None else submission_body(task),
    }
    asked = {name: value for name, value in body.items() if value is not None}
    return Call(request("PATCH", "schedules", schedule_id, json_body=asked), _schedule)


def run_schedule(schedule_id: str, *, idempotency_key: str | None = None) -> Call[str]:
    """Have it submit its task once now, beside its ticks; the id of the task. ``idempotency_key`` is one of
    its own where it is not given: then each call is another run.
    """
    key = idempotency_key or uuid4().hex
    asked = request("POST", "schedules", schedule_id, "run", idempotency_key=key)
    return Call(asked, lambda body: str(part(body, "task_id")))


def pause_schedule(schedule_id: str) -> Call[Schedule]:
    """Have its ticks pass without a run."""
    return Call(request("POST", "schedules", schedule_id, "pause", repeatable=True), _schedule)


def resume_schedule(schedule_id: str) -> Call[Schedule]:
    """Have it run again from the next tick on."""
    return Call(request("POST", "schedules", schedule_id, "resume", repeatable=True), _schedule)


def delete_schedule(schedule_id: str) -> Call[ScheduleDeleted]:
    """End it. Tasks that it has submitted stay."""
    asked = request("DELETE", "schedules", schedule_id)
    return Call(asked, lambda body: read_as(ScheduleDeleted, body))


def _schedule(body: dict[str, Any]) -> Schedule:
    return read_as(Schedule, part(body, "schedule"))
