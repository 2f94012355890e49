"""Acts on schedules: creates, pauses, resumes and deletes them."""

from __future__ import annotations

from coordinator.client import NewTask
from coordinator.dashboard.form_fields import Form
from coordinator.dashboard.viewer import Viewer

__all__ = ["create", "delete", "pause", "resume"]


async def create(viewer: Viewer, form: Form) -> str:
    """With the fields `cron`, `timezone`, `missed`, `schedule_id`, `priority` and `task_data`."""
    priority = form.text("priority")
    task = NewTask(
        task_data=form.json_object("task_data"),
        priority=priority,  # type: ignore[arg-type]  # the service refuses others
    )
    made = await viewer.client.create_schedule(
        form.needed("cron"),
        task,
        schedule_id=form.text("schedule_id"),
        timezone=form.text("timezone"),
        missed=form.text("missed"),
    )
    return f"Schedule {made.schedule_id} is made."


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
