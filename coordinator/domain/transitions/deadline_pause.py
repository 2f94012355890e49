"""Moves the deadline of a task by the time that people were asked: it waits with them."""

from __future__ import annotations

from datetime import datetime

from coordinator.domain.task import Task

from .retries import capped_duration

__all__ = ["with_later_deadline"]


def with_later_deadline(task: Task, now: datetime) -> Task:
    """Without a deadline, or a question, as it is. What was added is not added again: the question counts
    from ``now``.
    """
    question = task.question
    if task.expires_at is None or question is None or now <= question.asked_at:
        return task
    waited = capped_duration((now - question.asked_at).total_seconds())
    return task._replace(
        expires_at=task.expires_at + waited, question=question._replace(asked_at=now)
    )
