"""Describes what submissions, cancellations, retries and deletions of tasks are answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = ["Accepted", "Answered", "Cancelled", "Deleted", "Retried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The broker has the task on disk."""

    task_id: str
    priority: str = "normal"
    submitted_at: datetime | None = None
    state: str | None = None
    """`scheduled`, where it is."""
    not_before: datetime | None = None
    warning: str | None = None
    """That no agent is there that could do it, or which keys were ignored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The task has the answer to its question."""

    task_id: str
    question_id: str
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The task was ended."""

    task_id: str
    was: str
    """The state that it was in."""
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """The task goes round again."""

    task_id: str
    was: str
    generation: int
    due_at: datetime | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """The task is in the ledger no more."""

    task_id: str
