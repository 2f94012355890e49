"""Reads one task as it is now: its row, the events over it that are not folded yet, and its content."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import Task
from coordinator.domain.transitions.fold import fold
from coordinator.errors import TaskNotFound
from coordinator.protocol.messages.events import Event, TaskDeadLettered, TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage

from .event_rows import data_of, identity, known
from .schema import tasks
from .task_rows import task_of

__all__ = ["current_task"]


def current_task(
    task_id: str, pending: Sequence[Event], connection: Connection
) -> tuple[Task, TaskMessage]:
    """The task with the ``pending`` events folded over its row, those that the ledger has left out; and
    the message that its content is from. Raises `TaskNotFound`.
    """
    # Before the row: on PostgreSQL each statement sees what was committed by then, and a row that is read
    # before an event is folded does not have it. One that has it already takes it once more without a change.
    stored = known(connection, pending)
    query = sa.select(tasks).where(tasks.c.task_id == task_id)
    row = connection.execute(query).one_or_none()
    task = None if row is None else task_of(row)
    unfolded = [event for event in pending if identity(event) not in stored]
    for event in unfolded:
        task = fold(task, event).task
    if task is None or not task.known:
        raise TaskNotFound(task_id)
    return task, _content(connection, task, unfolded)


def _content(connection: Connection, task: Task, unfolded: Sequence[Event]) -> TaskMessage:
    for event in unfolded:
        data = event.data
        if event.id == task.submission and isinstance(data, TaskSubmitted | TaskDeadLettered):
            return data.task
    stored = data_of(connection, task.submission, author="")
    return TaskMessage.model_validate(stored["task"])
