"""Folds a task that an agent gave back, because it has no handler for the type: no attempt was made."""

from __future__ import annotations

from coordinator.domain.task import Runner, State, Task
from coordinator.protocol.messages.events import Event, TaskDeclined

from .effects import Folded, PublishAt, Rules
from .retries import jitter

__all__ = ["NO_HANDLER", "fold_decline", "is_known_to_be_declined", "times_declined"]

NO_HANDLER = "NoHandler"
"""The type of the error of a task that was given back so."""


def fold_decline(task: Task, _event: Event, data: TaskDeclined, rules: Rules) -> Folded:
    """No attempt: the same one is put on its queue again, later each time that nobody knows it."""
    if task.ended or data.attempt < task.attempt or data.attempt <= task.failed:
        return Folded(task)
    if is_known_to_be_declined(task, data.attempt, data.republished):
        return Folded(task)
    declined = times_declined(task)[0] + 1
    gone = Runner(data.attempt, data.agent_id)
    task = task._replace(
        state=State.WAITING,
        attempt=data.attempt,
        published=min(task.published, data.attempt - 1),
        agent_id=None,
        started_at=None,
        runners=tuple(runner for runner in task.runners if runner != gone),
        error={
            "type": NO_HANDLER,
            "message": f"The agent {data.agent_id!r} has no handler for tasks of the type"
            f" {data.task_type!r} and gave it back.",
            "retryable": True,
            "declined": declined,
            "republished": data.republished,
        },
    )
    again = PublishAt(
        task_id=task.task_id,
        generation=task.generation,
        attempt=data.attempt,
        due=rules.now + rules.declined.pause(declined, jitter=jitter(task)),
        anew=True,
    )
    return Folded(task, (again,))


def times_declined(task: Task) -> tuple[int, int]:
    """How often agents gave this attempt back, and the number of the message that was given back last."""
    error = task.error or {}
    if task.failed >= task.attempt or error.get("type") != NO_HANDLER:
        return 0, 0
    return int(error.get("declined", 0)), int(error.get("republished", 0))


def is_known_to_be_declined(task: Task, attempt: int, republished: int) -> bool:
    """Whether this message was given back, and none after it is known to be on a queue."""
    times, number = times_declined(task)
    if not times or task.state is not State.WAITING:
        return False
    return (attempt, republished) <= (task.attempt, number)
