"""Cancels the follow-up tasks whose parent was stopped, where they were submitted so.

The fold has ordered it, with the end of the parent. The id of the event is made of the task and its
generation.
"""

from __future__ import annotations

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import Event, TaskCancelled

from .overdue_ends import OverdueRule

__all__ = ["BATCH", "FOLLOW_UP_CANCELLATIONS", "WITH_PARENT"]

BATCH = 500
"""Tasks that are cancelled with one message."""

WITH_PARENT = "with-parent"
"""The `reason` of the event."""


def _cancelled(task: Task) -> Event:
    data = TaskCancelled(
        task_id=task.task_id,
        generation=task.generation,
        attempt=task.attempt,
        reason=WITH_PARENT,
        message=f"The task {task.parent_id!r}, whose handler has submitted it, was cancelled or has expired",
    )
    return Event(id=f"{task.task_id}.{task.generation}.{WITH_PARENT}", data=data)


FOLLOW_UP_CANCELLATIONS = OverdueRule(
    end=_cancelled,
    batch=BATCH,
    done="follow-up tasks are cancelled with their parents",
    put_off="follow-up tasks of stopped parents are not cancelled for now",
)
"""`task.cancelled` for each follow-up task that is to end with its parent."""
