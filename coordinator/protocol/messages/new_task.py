"""Writes the first message of a task straight from its values, without the model that reads it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from pydantic_core import to_json

from coordinator.protocol.message import Message
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

from .task_message import Backoff, Callback, TaskMessage, attempt_id, task_envelope, task_queue_of

__all__ = ["NewTask"]


class NewTask(NamedTuple):
    """A task that is submitted, with values that were checked before. Its message is byte for byte that of
    `model`, at a third of the cost: the model is for who reads a message, and validates each value.
    """

    task_id: str
    max_attempts: int
    task_data: dict[str, Any]
    priority: Priority
    wanted: Requirements
    """With the task's type where that has a lane of its own."""
    submitted_at: datetime
    task_token: str
    backoff: Backoff | None = None
    timeout_seconds: float | None = None
    progress_timeout_seconds: float | None = None
    not_before: datetime | None = None
    expires_at: datetime | None = None
    metadata: dict[str, Any] | None = None
    traceparent: str | None = None
    submitted_by: str | None = None
    tracestate: str | None = None
    group: str | None = None
    tags: tuple[str, ...] | None = None
    """None and not empty where there are none."""
    callback: Callback | None = None
    parent_id: str | None = None
    cancel_with_parent: int | None = None

    @property
    def source(self) -> TaskQueue:
        """As `TaskMessage.source`."""
        return task_queue_of(self.wanted, self.priority, self.timeout_seconds)

    @property
    def message_id(self) -> str:
        """As `TaskMessage.message_id`."""
        return attempt_id(self.task_id, 1, 1, scheduled=self.not_before is not None)

    @property
    def model(self) -> TaskMessage:
        """What whoever reads the message has."""
        return TaskMessage(**self._values())

    def to_message(self) -> Message:
        """As `TaskMessage.to_message`."""
        return task_envelope(self, to_json(self._values(), inf_nan_mode="null"))

    def _values(self) -> dict[str, Any]:
        """The fields of `TaskMessage` that are not None, in its order."""
        values: dict[str, Any] = {
            "task_id": self.task_id,
            "generation": 1,
            "attempt": 1,
            "max_attempts": self.max_attempts,
        }
        if self.backoff is not None:
            values["backoff"] = self.backoff.model_dump(exclude_none=True)
        values |= {
            "task_data": self.task_data,
            "priority": self.priority.value,
            "requirements": self.wanted.as_dict(),
            "submitted_at": self.submitted_at,
        }
        if self.timeout_seconds is not None:
            values["timeout_seconds"] = float(self.timeout_seconds)
        if self.progress_timeout_seconds is not None:
            values["progress_timeout_seconds"] = float(self.progress_timeout_seconds)
        for name in _AS_THEY_ARE:
            value = getattr(self, name)
            if value is not None:
                values[name] = value
        values["task_token"] = self.task_token
        return values


_AS_THEY_ARE = (
    *("not_before", "expires_at", "metadata", "group", "tags", "callback"),
    *("parent_id", "cancel_with_parent", "submitted_by", "traceparent", "tracestate"),
)
