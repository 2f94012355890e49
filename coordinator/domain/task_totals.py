"""Measures how much each task adds to the totals, so that they are exact whatever the order of events."""

from __future__ import annotations

from datetime import timedelta
from operator import add, sub
from typing import NamedTuple

from .task import State, Task

__all__ = ["NOTHING", "TaskTotals", "measure"]


class TaskTotals(NamedTuple):
    """Sums over tasks."""

    tasks_distributed: int = 0
    """Confirmed onto their queue: their message reached the log, which is the same publish."""
    tasks_completed: int = 0
    tasks_failed: int = 0
    """Ended dead."""
    assignments: int = 0
    """Attempts started."""
    assignments_failed: int = 0
    """Attempts failed."""
    first_starts: int = 0
    """Tasks submitted and started at least once."""
    first_start_micros: int = 0
    """Microseconds from acceptance to the first start, over those."""

    def plus(self, other: TaskTotals) -> TaskTotals:
        """Number by number."""
        return TaskTotals(*map(add, self, other))

    def minus(self, other: TaskTotals) -> TaskTotals:
        return TaskTotals(*map(sub, self, other))


NOTHING = TaskTotals()


def measure(task: Task | None) -> TaskTotals:
    """What one task adds: nothing before its own message was folded, so that what is said late of a
    task that was forgotten is not counted again. Clocks of different machines may disagree: no wait
    is below zero.
    """
    if task is None or not task.known:
        return NOTHING
    wait = None
    if task.submitted_at is not None and task.first_started_at is not None:
        wait = max(task.first_started_at - task.submitted_at, timedelta())
    return TaskTotals(
        tasks_distributed=int(task.published > 0 or task.generation > 1),
        tasks_completed=int(task.state is State.COMPLETED),
        tasks_failed=int(task.state is State.DEAD),
        assignments=task.starts,
        assignments_failed=task.failures,
        first_starts=0 if wait is None else 1,
        first_start_micros=0 if wait is None else wait // timedelta(microseconds=1),
    )
