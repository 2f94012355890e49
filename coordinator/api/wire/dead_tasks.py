"""Reads the filters of dead tasks and of a redrive, and writes dead tasks by error."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field

from coordinator.api.wire.fields.answer_fields import (
    AgentId,
    AnswerModel,
    Instant,
    PriorityName,
    Success,
    TaskId,
)
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import Task
from coordinator.registry.queries.dead_tasks import DeadGroup

from .fields.body_configs import refusing_unknown_keys
from .fields.instants import iso, iso_or_none
from .fields.lenient_json import NO_BOOLEAN
from .fields.short_texts import shortened
from .tasks import TaskError

__all__ = [
    "DeadGroupShape",
    "DeadTaskShape",
    "DeadTasksAnswer",
    "DeadTasksFilter",
    "DeadTasksQuery",
    "RedriveDeadBody",
    "RedrivenManyAnswer",
    "dead_filter",
    "dead_group_shape",
    "dead_task_shape",
]


class DeadTasksFilter(BaseModel):
    """Selects the dead tasks that match all that is given."""

    error_type: str | None = Field(default=None, description="What they died of.")
    lane: str | None = Field(default=None, description="The lane that they are of.")
    task_type: str | None = Field(default=None, description="Their `task_data.task_type`.")
    submitted_from: datetime | None = Field(default=None, description="Not before this.")
    submitted_before: datetime | None = Field(default=None, description="Before this.")


class DeadTasksQuery(DeadTasksFilter):
    """Selects a page of the dead tasks that match."""

    limit: int = Field(default=100, ge=1, le=1000, description="Tasks on one page.")
    cursor: str | None = Field(default=None, description="The `next_cursor` of the page before.")


class RedriveDeadBody(DeadTasksFilter):
    """Selects the dead tasks to redrive, and sets the rate."""

    DEFAULT_LIMIT: ClassVar[int] = 1000

    model_config = refusing_unknown_keys(
        "Which dead tasks are tried again, and how fast.",
        error_type="ConnectionError",
        rate_per_second=50,
        dry_run=True,
    )

    rate_per_second: Annotated[float, Field(ge=0.01, le=10_000), NO_BOOLEAN] | None = Field(
        default=None,
        description="Tasks that go to their queues in a second; by default all at once.",
    )
    limit: Annotated[int, Field(ge=1, le=10_000), NO_BOOLEAN] | None = Field(
        default=None, description=f"Tasks in one request; by default {DEFAULT_LIMIT}."
    )
    dry_run: bool | None = Field(default=None, description="Only count them.")


class RedrivenManyAnswer(AnswerModel):
    status: Success
    message: str = Field(examples=["12 of 12 dead tasks redriven"])
    dry_run: bool
    matched: int = Field(description="Dead tasks that match the filters.")
    redriven: int = Field(description="Of these, the ones that will be tried again.")
    last_due_at: Instant | None = Field(description="When the last of them goes to its queue.")
    timestamp: Instant


class DeadGroupShape(AnswerModel):
    error_type: str = Field(examples=["ValueError"])
    count: int
    first_at: Instant = Field(description="When the first of them died.")
    last_at: Instant


class DeadTaskShape(AnswerModel):
    task_id: TaskId
    task_type: str | None
    priority: PriorityName
    lane: str
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: Instant
    ended_at: Instant
    agent_id: AgentId | None = Field(description="Who had it last.")
    error: TaskError | None


class DeadTasksAnswer(AnswerModel):
    status: Success
    total: int = Field(description="Dead tasks that match the filters, on all pages.")
    groups: list[DeadGroupShape] = Field(description="All of these by error, most tasks first.")
    tasks: list[DeadTaskShape] = Field(description="One page, the last that died first.")
    next_cursor: str | None = Field(description="For the next page; null on the last.")
    timestamp: Instant


def dead_filter(asked: DeadTasksFilter) -> DeadFilter:
    """The filter that a query or a body asks for."""
    return DeadFilter(
        error_type=asked.error_type,
        lane=asked.lane,
        task_type=asked.task_type,
        submitted_from=_aware(asked.submitted_from),
        submitted_before=_aware(asked.submitted_before),
    )


def _aware(instant: datetime | None) -> datetime | None:
    """An instant without an offset is in UTC."""
    if instant is None or instant.tzinfo is not None:
        return instant
    return instant.replace(tzinfo=UTC)


def dead_group_shape(group: DeadGroup) -> dict[str, Any]:
    """The tasks that died of one type of error, as `DeadGroupShape` describes them."""
    return {
        "error_type": group.error_type,
        "count": group.count,
        "first_at": iso(group.first_at),
        "last_at": iso(group.last_at),
    }


def dead_task_shape(task: Task) -> dict[str, Any]:
    """A dead task in a list, without its content."""
    return {
        "task_id": task.task_id,
        "task_type": task.task_type,
        "priority": task.priority,
        "lane": task.lane,
        "generation": task.generation,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "submitted_at": iso_or_none(task.submitted_at),
        "ended_at": iso_or_none(task.ended_at),
        "agent_id": task.agent_id,
        "error": shortened(task.error),
    }
