"""Acts on one task: cancels, retries, deletes or answers it."""

from __future__ import annotations

from coordinator.dashboard.form_fields import Form
from coordinator.dashboard.viewer import Viewer

__all__ = ["answer", "cancel", "delete", "edit_and_redrive", "retry"]


async def cancel(viewer: Viewer, form: Form) -> str:
    """Ends the task of `task_id`, for `reason` where one is given."""
    task_id = form.needed("task_id")
    done = await viewer.client.cancel(task_id, form.text("reason"))
    return f"Task {task_id} is cancelled; it was {done.was}."


async def retry(viewer: Viewer, form: Form) -> str:
    """Sends it round again as it is."""
    task_id = form.needed("task_id")
    done = await viewer.client.retry(task_id)
    return f"Task {task_id} goes round again, as generation {done.generation}."


async def edit_and_redrive(viewer: Viewer, form: Form) -> str:
    """Sends it round again with the data in `task_data`, after `delay_seconds`."""
    task_id = form.needed("task_id")
    done = await viewer.client.retry(
        task_id, task_data=form.json_object("task_data"), delay_seconds=form.number("delay_seconds")
    )
    return f"Task {task_id} goes round again with the data that you gave, as generation {done.generation}."


async def delete(viewer: Viewer, form: Form) -> str:
    """Takes it out of the ledger."""
    task_id = form.needed("task_id")
    await viewer.client.delete(task_id)
    return f"Task {task_id} is deleted."


async def answer(viewer: Viewer, form: Form) -> str:
    """Gives the task what it asks for: the JSON of `choice`, or else `answer`, as JSON where it is some and
    as a text where it is not.
    """
    task_id = form.needed("task_id")
    choice = form.text("choice")
    given = form.json("choice") if choice is not None else form.json_or_text("answer")
    await viewer.client.answer(task_id, given, question_id=form.text("question_id"))
    return f"Task {task_id} has its answer."
