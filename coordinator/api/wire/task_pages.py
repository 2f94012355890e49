"""Reads the filters of a list of tasks, and writes its pages."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, Field

from coordinator.api.wire.fields.answer_fields import (
    AgentId,
    AnswerModel,
    GroupName,
    Instant,
    ParentId,
    PriorityName,
    Submitter,
    Success,
    TagNames,
    TaskId,
    TaskStateName,
)
from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import State
from coordinator.protocol.priority import Priority
from coordinator.registry.queries.task_filter import TaskFilter
from coordinator.registry.queries.task_view import TaskSummary

from .fields.instants import iso, iso_or_none
from .fields.label_filters import GroupFilter, MetadataFilters, TagFilters, label_filter
from .fields.page_fields import Count, FilterText, NextCursor, PageQuery
from .fields.short_texts import shortened
from .tasks import Progress, TaskError

__all__ = [
    "AgentsTaskQuery",
    "FilterInstant",
    "TaskPageAnswer",
    "TaskQuery",
    "TaskSummaryShape",
    "summary_shape",
]


def _plus(value: Any) -> Any:
    """A plus sign that was not encoded reaches us as a space."""
    return re.sub(r" (\d\d:?\d\d)$", r"+\1", value) if isinstance(value, str) else value


FilterInstant = Annotated[
    AwareDatetime,
    BeforeValidator(_plus),
    Field(examples=["2026-01-31T12:00:00Z"]),
]


class TaskQuery(PageQuery):
    """Selects the tasks that match all filters."""

    state: list[State] = Field(default=[], description="One of these states.")
    priority: list[Priority] = Field(default=[], description="One of these priorities.")
    agent: FilterText | None = Field(
        default=None, description="The id of the agent that works on it, or did last."
    )
    task_type: FilterText | None = Field(default=None, description="Its `task_data.task_type`.")
    capability: list[FilterText] = Field(default=[], description="It requires all of these.")
    service: list[FilterText] = Field(default=[], description="It requires all of these.")
    agent_type: FilterText | None = Field(
        default=None, description="It requires this type of agent."
    )
    submitted_after: FilterInstant | None = Field(
        default=None, description="At this instant or later: RFC 3339, with its offset."
    )
    submitted_before: FilterInstant | None = Field(
        default=None, description="Before this instant: RFC 3339, with its offset."
    )

    parent_id: FilterText | None = Field(
        default=None, description="The handler of this task has submitted it: a follow-up task."
    )
    group: GroupFilter = None
    tag: TagFilters = Field(default=[])
    metadata: MetadataFilters = Field(default=[])

    def filter(self, keys: frozenset[str]) -> TaskFilter:
        """The filter that the query asks for; tasks are found by these ``keys`` of their metadata. Raises
        `InvalidRequest`.
        """
        return TaskFilter(
            states=frozenset(self.state),
            priorities=frozenset(self.priority),
            agent_id=self.agent,
            task_type=self.task_type,
            agent_type=self.agent_type,
            capabilities=frozenset(self.capability),
            services=frozenset(self.service),
            since=self.submitted_after,
            until=self.submitted_before,
            parent_id=self.parent_id,
            labels=label_filter(group=self.group, tags=self.tag, metadata=self.metadata, keys=keys),
        )


class AgentsTaskQuery(PageQuery):
    """Selects tasks of one agent."""

    state: list[State] = Field(default=[], description="One of these states.")
    group: GroupFilter = None
    tag: TagFilters = Field(default=[])
    metadata: MetadataFilters = Field(default=[])

    def labels(self, keys: frozenset[str]) -> LabelFilter:
        """As those of `TaskQuery.filter`."""
        return label_filter(group=self.group, tags=self.tag, metadata=self.metadata, keys=keys)


class TaskSummaryShape(AnswerModel):
    task_id: TaskId
    state: TaskStateName
    task_type: str | None = Field(examples=["word-count"])
    priority: PriorityName
    requirements: dict[str, Any]
    lane: str = Field(examples=["any"])
    generation: int
    attempt: int
    max_attempts: int
    submitted_at: Instant
    expires_at: Instant | None
    started_at: Instant | None
    ended_at: Instant | None
    agent_id: AgentId | None
    progress: Progress | None
    error: TaskError | None
    submitted_by: Submitter
    parent_id: ParentId
    group: GroupName
    tags: TagNames


class TaskPageAnswer(AnswerModel):
    status: Success
    tasks: list[TaskSummaryShape]
    count: Count
    next_cursor: NextCursor
    timestamp: Instant


def summary_shape(task: TaskSummary) -> dict[str, Any]:
    """A task in a list as `TaskSummaryShape` describes it."""
    return {
        "task_id": task.task_id,
        "state": task.state,
        "task_type": task.task_type,
        "priority": task.priority.value,
        "requirements": task.requirements,
        "lane": task.lane,
        "generation": task.generation,
        "attempt": task.attempt,
        "max_attempts": task.max_attempts,
        "submitted_at": iso(task.submitted_at),
        "expires_at": iso_or_none(task.expires_at),
        "started_at": iso_or_none(task.started_at),
        "ended_at": iso_or_none(task.ended_at),
        "agent_id": task.agent_id,
        "progress": shortened(task.progress),
        "error": shortened(task.error),
        "submitted_by": task.submitted_by,
        "parent_id": task.parent_id,
        "group": task.group,
        "tags": task.tags,
    }
