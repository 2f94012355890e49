"""Says which tasks a page is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from coordinator.domain.labels.task_labels import ANY_LABELS, LabelFilter
from coordinator.domain.task import State, Task
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements

__all__ = ["ANY_TASK", "TaskFilter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """A task must match all that is given. What is empty or None matches every task."""

    states: frozenset[State] = frozenset()
    """One of these."""
    priorities: frozenset[Priority] = frozenset()
    """One of these."""
    agent_id: str | None = None
    """Who works on the task, or did last."""
    task_type: str | None = None
    agent_type: str | None = None
    """Asked for by the task, as are the next two."""
    capabilities: frozenset[str] = frozenset()
    """All of these."""
    services: frozenset[str] = frozenset()
    """All of these."""
    since: datetime | None = None
    """Submitted at this instant or later."""
    until: datetime | None = None
    """Submitted before this instant."""
    submitted_by: str | None = None
    """By this caller of the API."""
    parent_id: str | None = None
    """By the handler of this task."""
    labels: LabelFilter = ANY_LABELS

    @property
    def requirements(self) -> Requirements:
        """What a task must ask for."""
        return Requirements(
            agent_type=self.agent_type,
            capabilities=tuple(self.capabilities),
            services=tuple(self.services),
        )

    @property
    def asks_for_requirements(self) -> bool:
        """Whether any of the requirements is given."""
        return bool(self.agent_type is not None or self.capabilities or self.services)

    def admits_requirements(self, wanted: Requirements) -> bool:
        """Whether a task with these requirements may be meant."""
        return (
            (self.agent_type is None or self.agent_type == wanted.agent_type)
            and self.capabilities.issubset(wanted.capabilities)
            and self.services.issubset(wanted.services)
        )

    def admits(self, task: Task, wanted: Requirements) -> bool:
        """Whether ``task``, which has the requirements ``wanted``, is meant."""
        at = task.submitted_at
        return (
            at is not None
            and (not self.states or task.state in self.states)
            and (not self.priorities or task.priority in self.priorities)
            and (self.agent_id is None or self.agent_id == task.agent_id)
            and (self.task_type is None or self.task_type == task.task_type)
            and self.submitted_by in (None, task.submitted_by)
            and self.parent_id in (None, task.parent_id)
            and self.labels.admits(task)
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
            and self.admits_requirements(wanted)
        )


ANY_TASK = TaskFilter()
