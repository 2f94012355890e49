"""Acts on schedules: creates, edits, runs, pauses, resumes and deletes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from coordinator.client import NewTask, Schedule
from coordinator.dashboard.form_fields import Form, FormRefused
from coordinator.dashboard.viewer import Viewer

__all__ = ["create", "delete", "edit", "pause", "resume", "run"]


async def create(viewer: Viewer, form: Form) -> str:
    """With the fields `cron` or `every_seconds`, `timezone`, `missed`, `schedule_id`, `priority` and
    `task_data`.
    """
    every_seconds = form.whole_number("every_seconds")
    priority = form.text("priority")
    task = NewTask(
        task_data=form.json_object("task_data"),
        priority=priority,  # type: ignore[arg-type]  # the service refuses others
    )
    made = await viewer.client.create_schedule(
        form.needed("cron") if every_seconds is None else form.text("cron"),
        task,
        every_seconds=every_seconds,
        schedule_id=form.text("schedule_id"),
        timezone=form.text("timezone"),
        missed=form.text("missed"),
    )
    return f"Schedule {made.schedule_id} is made."


async def edit(viewer: Viewer, form: Form) -> str:
    """Changes what of `cron`, `every_seconds`, `timezone` and `missed` is other than it was when the form was
    shown (`was_cron` and so on; without them: than it is), so that what somebody else has changed meanwhile
    stays. Also the task's data where `task_data` is given: all else of the task stays.
    """
    schedule_id = form.needed("schedule_id")
    now = await viewer.client.schedule(schedule_id)
    cron, timezone, missed = form.text("cron"), form.text("timezone"), form.text("missed")
    every_seconds = form.whole_number("every_seconds")
    task = _with_data(now, form.json_object("task_data")) if form.text("task_data") else None
    given = {"cron": cron, "every_seconds": every_seconds, "timezone": timezone, "missed": missed}
    edited = {
        name: None if value is None or str(value) == _was(form, name, now) else value
        for name, value in given.items()
    }
    if task is None and not any(edited.values()):
        raise FormRefused(f"Schedule {schedule_id} is like that already: change a field")
    await viewer.client.edit_schedule(schedule_id, task=task, **edited)  # type: ignore[arg-type]  # checked
    return f"Schedule {schedule_id} is changed."


def _was(form: Form, name: str, now: Schedule) -> str | None:
    """The text of a field as the form was shown."""
    if form.has(f"was_{name}"):
        return form.text(f"was_{name}")
    value = getattr(now, name)
    return None if value is None else str(value)


def _with_data(schedule: Schedule, data: Mapping[str, Any]) -> NewTask:
    names = {field.name for field in fields(NewTask)}
    kept = {name: value for name, value in (schedule.task or {}).items() if name in names}
    return NewTask(**{**kept, "task_data": data})


async def run(viewer: Viewer, form: Form) -> str:
    """Has it submit its task once now."""
    schedule_id = form.needed("schedule_id")
    task_id = await viewer.client.run_schedule(schedule_id)
    return f"Schedule {schedule_id} has submitted the task {task_id}."


async def pause(viewer: Viewer, form: Form) -> str:
    """Has its ticks pass without a run."""
    done = await viewer.client.pause_schedule(form.needed("schedule_id"))
    return f"Schedule {done.schedule_id} is paused."


async def resume(viewer: Viewer, form: Form) -> str:
    """Has it run again from the next tick on."""
    done = await viewer.client.resume_schedule(form.needed("schedule_id"))
    return f"Schedule {done.schedule_id} runs again."


async def delete(viewer: Viewer, form: Form) -> str:
    """Ends it; tasks that it has submitted stay."""
    schedule_id = form.needed("schedule_id")
    await viewer.client.delete_schedule(schedule_id)
    return f"Schedule {schedule_id} is deleted."
