"""Folds one event into a task, by the fold of its type: the order of the log decides, clocks do not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import (
    AgentsTaskEvent,
    Event,
    TaskAnswered,
    TaskAsked,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskDeclined,
    TaskEvent,
    TaskExpired,
    TaskFailed,
    TaskLost,
    TaskProgressed,
    TaskResumed,
    TaskStarted,
    TaskSubmitted,
    TaskTooLarge,
)

from .attempts import fold_completion, fold_failure, fold_loss, fold_progress, fold_start
from .declines import fold_decline
from .effects import NO_RETRY_TIME, Folded, Rules
from .ends_without_attempt import fold_cancellation, fold_expiry, fold_too_large
from .generations import fold_late, reopened
from .own_attempts import of_its_own_attempt
from .questions import fold_answer, fold_ask, fold_resumption
from .task_publishes import fold_message

__all__ = ["fold"]


def fold(task: Task | None, event: Event, rules: Rules = NO_RETRY_TIME) -> Folded:
    """Apply one event to the task that it is about; ``task`` is None for one not seen before.

    The caller applies each event once: what has the same id is dropped before it comes here.
    """
    data = event.data
    if not isinstance(data, TaskEvent):
        raise TypeError(f"not an event of a task: {event.type}")
    if task is None:
        task = Task(task_id=data.task_id, generation=data.generation, attempt=data.attempt)
    elif data.generation > task.generation:
        if isinstance(data, TaskStarted | TaskProgressed | TaskLost | TaskTooLarge):
            return Folded(task)  # no token vouches for it: it may not reopen anything
        task = reopened(task, data)
    if isinstance(data, TaskSubmitted | TaskDeadLettered):
        return fold_message(task, event, data, rules)
    if data.generation < task.generation:
        return fold_late(task, data)
    if isinstance(data, AgentsTaskEvent):
        data = of_its_own_attempt(task, data)
    return _FOLDS[type(data)](task, event, data, rules)


_FOLDS: dict[type[TaskEvent], Callable[[Task, Event, Any, Rules], Folded]] = {
    TaskStarted: fold_start,
    TaskDeclined: fold_decline,
    TaskProgressed: fold_progress,
    TaskAsked: fold_ask,
    TaskResumed: fold_resumption,
    TaskAnswered: fold_answer,
    TaskCompleted: fold_completion,
    TaskFailed: fold_failure,
    TaskCancelled: fold_cancellation,
    TaskExpired: fold_expiry,
    TaskLost: fold_loss,
    TaskTooLarge: fold_too_large,
}
