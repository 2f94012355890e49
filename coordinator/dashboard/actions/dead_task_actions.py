"""Sends dead tasks round again: all that match filters, or those that were selected."""

from __future__ import annotations

from coordinator.client import ApiError
from coordinator.client.calls.dead_task_calls import DeadFilter
from coordinator.dashboard.form_fields import Form, FormRefused
from coordinator.dashboard.viewer import Viewer

__all__ = ["redrive", "retry_selected"]


async def redrive(viewer: Viewer, form: Form) -> str:
    """Redrives what matches the filters, at `rate_per_second`; with `dry_run` only counts."""
    filters = DeadFilter()
    for name in ("error_type", "lane", "task_type"):
        if (value := form.text(name)) is not None:
            filters[name] = value
    dry_run = form.text("dry_run") is not None
    done = await viewer.client.redrive(
        dry_run=dry_run, rate_per_second=form.number("rate_per_second"), **filters
    )
    if dry_run:
        return f"A redrive would take {done.matched} dead tasks. Nothing was done."
    return f"{done.redriven} of {done.matched} dead tasks go round again."


async def retry_selected(viewer: Viewer, form: Form) -> str:
    """Retries each task of `task_id`; says how many could not be, and why the first could not."""
    task_ids = form.all("task_id")
    if not task_ids:
        raise FormRefused("Select at least one task")
    refused: list[ApiError] = []
    for task_id in task_ids:
        try:
            await viewer.client.retry(task_id)
        except ApiError as exc:
            refused.append(exc)
    if len(refused) == len(task_ids):
        raise refused[0]
    done = f"{len(task_ids) - len(refused)} tasks go round again"
    return f"{done}; {len(refused)} do not: {refused[0].detail}" if refused else f"{done}."
