"""Ends a task that no attempt has ended: cancelled, expired, or too large for its queue."""

from __future__ import annotations

from typing import Any

from coordinator.domain.task import IN_HAND, State, Task
from coordinator.protocol.messages.events import Event, TaskCancelled, TaskExpired, TaskTooLarge

from .effects import Folded, Rules, cancel_on_all

__all__ = [
    "CLEARED",
    "EXPIRED",
    "TOO_LARGE",
    "end_task",
    "fold_cancellation",
    "fold_expiry",
    "fold_too_large",
]

CLEARED = "cleared"
"""The reason of a cancellation with the queue: it ends what waits there, nothing that goes on."""


TOO_LARGE = "MessageTooLarge"
"""The type of the error of a task that the broker does not take any more, as a submission is told."""


EXPIRED: dict[str, Any] = {
    "type": "Expired",
    "message": "The deadline passed before an attempt started.",
    "retryable": False,
}


def end_task(task: Task, event: Event, state: State, *, error: dict[str, Any] | None) -> Folded:
    """End the task, and stop every other agent that works on it."""
    ended = task._replace(
        state=state, ended_at=event.time, outcome=event.id, error=error, runners=(), question=None
    )
    return Folded(ended, cancel_on_all(ended, task.runners))


def fold_cancellation(task: Task, event: Event, data: TaskCancelled, _: Rules) -> Folded:
    """A person cancelled the task, or cleared its queue: an attempt after the cleared message goes on."""
    if data.reason == CLEARED and data.attempt >= task.published:
        task = task._replace(settled=max(task.settled, data.attempt))
    if task.ended or (data.reason == CLEARED and data.attempt < task.attempt):
        return Folded(task)
    error = {"type": "Cancelled", "message": data.message or data.reason, "retryable": False}
    return end_task(task, event, State.CANCELLED, error=error)


def fold_expiry(task: Task, event: Event, _data: TaskExpired, _: Rules) -> Folded:
    """Its deadline has passed: a task that runs by now, waits for people or has ended stays as it is."""
    if task.ended or task.state in IN_HAND:
        return Folded(task)
    return end_task(task, event, State.EXPIRED, error=EXPIRED)


def fold_too_large(task: Task, event: Event, data: TaskTooLarge, _: Rules) -> Folded:
    """No attempt was made. What an agent has in hand has found its way to the queue after all."""
    overtaken = data.attempt < task.attempt or data.attempt <= task.failed
    if task.ended or overtaken or task.state in IN_HAND:
        return Folded(task)
    error = {"type": TOO_LARGE, "message": data.message, "retryable": False}
    return end_task(task, event, State.DEAD, error=error)
