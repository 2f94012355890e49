"""Sends dead tasks round again: all that match filters, or those that were selected."""

from __future__ import annotations

from coordinator.client import ApiError, ClientError
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
    """Retries each task of `task_id`; says how many could not be, and why the first could not. Where the
    service goes away meanwhile, those before stay done, and are told as well.
    """
    task_ids = form.all("task_id")
    if not task_ids:
        raise FormRefused("Select at least one task")
    retried, refused = 0, list[ClientError]()
    for task_id in task_ids:
        try:
            await viewer.client.retry(task_id)
            retried += 1
        except ApiError as exc:
            refused.append(exc)
        except ClientError as exc:
            refused.append(exc)
            break
    if not retried:
        raise refused[0]
    done = f"{retried} {'task goes' if retried == 1 else 'tasks go'} round again"
    left = len(task_ids) - retried
    if not refused:
        return f"{done}."
    return f"{done}; {left} {'does' if left == 1 else 'do'} not: {_why(refused[0])}"


def _why(error: ClientError) -> str:
    return error.detail if isinstance(error, ApiError) else str(error)
