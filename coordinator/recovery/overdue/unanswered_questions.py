"""Ends the wait for answers whose time is over, where the attempt that asked gave its slot back: another one
begins, and is told that there is none.

The id of the event is made of the task and its attempt. An attempt that keeps its slot ends its wait by
itself.
"""

from __future__ import annotations

from coordinator.domain.task import Task
from coordinator.protocol.json_values.json_digest import json_digest
from coordinator.protocol.messages.events import Event, TaskAnswered

from .overdue_ends import OverdueRule

__all__ = ["BATCH", "UNANSWERED_QUESTIONS"]

BATCH = 200
"""Waits that are ended with one message."""


def _too_late(task: Task) -> Event:
    question = task.question
    if question is None:
        raise ValueError(f"task {task.task_id!r} asks nothing")
    return Event(
        id=f"{task.task_id}.{task.generation}.{question.attempt}.unanswered",
        data=TaskAnswered(
            task_id=task.task_id,
            generation=task.generation,
            attempt=question.attempt,
            question_id=question.question_id,
            question_digest=json_digest(question.question),
            timed_out=True,
        ),
    )


UNANSWERED_QUESTIONS = OverdueRule(
    end=_too_late,
    batch=BATCH,
    done="questions were not answered in time",
    put_off="waits for answers are not ended for now",
)
"""`task.answered` without an answer for each question whose time is over."""
