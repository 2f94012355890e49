"""Describes dead tasks by error, and what a redrive did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .tasks import TaskError

__all__ = ["DeadGroup", "DeadTask", "DeadTasks", "Redriven"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """Counts the tasks that died of one error."""

    error_type: str
    count: int
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTask:
    """Is a task that failed for good."""

    task_id: str
    task_type: str | None = None
    priority: str = "normal"
    lane: str = ""
    generation: int = 1
    attempt: int = 0
    max_attempts: int | None = None
    submitted_at: datetime | None = None
    ended_at: datetime | None = None
    agent_id: str | None = None
    error: TaskError | None = None
    group: str | None = None
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadTasks:
    """Is one page of them, and the errors of all."""

    total: int = 0
    """On all pages."""
    groups: Sequence[DeadGroup] = ()
    tasks: Sequence[DeadTask] = ()
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Redriven:
    """Tells how many dead tasks are tried again."""

    dry_run: bool = False
    matched: int = 0
    redriven: int = 0
    last_due_at: datetime | None = None
