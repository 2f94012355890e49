"""Shows a task as the API tells it: in short, or with what it holds and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery
from coordinator.domain.task import ENDED, Answer, Question, State
from coordinator.protocol.messages.task_message import Callback
from coordinator.protocol.priority import Priority
from coordinator.registry.tables.stored_result import JsonText

__all__ = ["CallbackView", "JsonText", "TaskSummary", "TaskView"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSummary:
    """Tells the state of a task, without what it holds and what came of it."""

    task_id: str
    state: str
    task_type: str | None
    priority: Priority
    requirements: dict[str, Any]
    lane: str
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: datetime
    expires_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    agent_id: str | None
    progress: dict[str, Any] | None
    """The last that was told: `fraction`, `message` and `at`."""
    error: dict[str, Any] | None
    """Why the last attempt failed or the task was ended: `type`, `message`, `retryable`."""
    submitted_by: str | None
    """None where the API asked nobody for a credential."""
    parent_id: str | None
    """The task whose handler has submitted it."""
    group: str | None
    tags: tuple[str, ...]

    @property
    def ended(self) -> bool:
        return State(self.state) in ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackView:
    """Tells whom a task is told to, and how that stands."""

    asked: Callback
    deliveries: Sequence[CallbackDelivery]
    """The latest, the latest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView(TaskSummary):
    """Tells all of a task."""

    task_data: dict[str, Any]
    metadata: dict[str, Any] | None
    not_before: datetime | None
    """When it goes, or went, on its queue, where it was scheduled."""
    question: Question | None
    """What it asks people, where that has no answer yet."""
    answers: tuple[Answer, ...]
    """The first of this generation first."""
    result: Any
    """A `JsonText` where it is large."""
    callback: CallbackView | None = None
