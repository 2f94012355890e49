"""Ends the tasks that missed their deadline: the net under the agents, which reject such a task when
they take it.

The id of the event is made of the task and its generation; and the law knows whether an attempt started
before.
"""

from __future__ import annotations

from datetime import timedelta

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import Event, TaskExpired

from .overdue_ends import OverdueRule

__all__ = ["BATCH", "GRACE", "MISSED_DEADLINES"]

GRACE = timedelta(seconds=1)
"""What an agent that took the task in time has to say so."""

BATCH = 500
"""Tasks that are ended with one message."""


def _expired(task: Task) -> Event:
    fence = f"{task.task_id}.{task.generation}"
    data = TaskExpired(task_id=task.task_id, generation=task.generation, attempt=task.attempt)
    return Event(id=f"{fence}.deadline", data=data)


MISSED_DEADLINES = OverdueRule(
    end=_expired,
    grace=GRACE,
    batch=BATCH,
    done="tasks missed their deadline",
    put_off="overdue tasks are not ended for now",
)
"""`task.expired` for each task that was not started in time."""
