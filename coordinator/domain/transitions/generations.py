"""Separates the generations of a task: a redrive reopens it, and events of an older one are late."""

from __future__ import annotations

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import TaskAsked, TaskEvent, TaskProgressed, TaskStarted

from .effects import CancelOnAgent, Folded

__all__ = ["fold_late", "reopened"]


def fold_late(task: Task, data: TaskEvent) -> Folded:
    """Something was said of a generation before this one: it changes nothing, and who works at it is
    told to cancel.
    """
    if isinstance(data, TaskStarted | TaskProgressed | TaskAsked):
        cancel = CancelOnAgent(
            agent_id=data.agent_id,
            task_id=task.task_id,
            generation=data.generation,
            reason="superseded",
        )
        return Folded(task, (cancel,))
    return Folded(task)


def reopened(task: Task, data: TaskEvent) -> Task:
    """A person redrove the task: a new generation, and the end of the old one no longer counts."""
    return Task(
        task_id=task.task_id,
        generation=data.generation,
        attempt=data.attempt,
        content=task.content,
        max_attempts=task.max_attempts,
        priority=task.priority,
        lane=task.lane,
        task_type=task.task_type,
        backoff=task.backoff,
        expires_at=task.expires_at,
        submitted_at=task.submitted_at,
        submission=task.submission,
        first_started_at=task.first_started_at,
        starts=task.starts,
        failures=task.failures,
        submitted_by=task.submitted_by,
        group=task.group,
        tags=task.tags,
        metadata=task.metadata,
        parent_id=task.parent_id,
        cancel_with_parent=task.cancel_with_parent,
    )
