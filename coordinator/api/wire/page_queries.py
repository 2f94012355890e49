"""What may be asked for of the answers that come in pages: filters, the size of a page, its place.

A parameter that is not named here is refused, see `query_names`.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.task import State
from coordinator.protocol.priority import Priority
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.queries.task_filter import TaskFilter

__all__ = ["AgentQuery", "AgentsTaskQuery", "PageQuery", "TaskQuery", "WaitQuery"]

LARGEST_PAGE = 200
LONGEST_WAIT = 60

Text = Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")]


def _plus(value: Any) -> Any:
    """A plus sign that was not encoded reaches us as a space."""
    return re.sub(r" (\d\d:?\d\d)$", r"+\1", value) if isinstance(value, str) else value


Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_plus),
    Field(examples=["2026-01-31T12:00:00Z"]),
]


class PageQuery(BaseModel):
    """Which page."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(
        default=50, ge=1, le=LARGEST_PAGE, description="How many on a page, at most."
    )
    cursor: str | None = Field(
        default=None, description="The `next_cursor` of the page before; none for the first page."
    )


class TaskQuery(PageQuery):
    """Which tasks: they must match all filters."""

    state: list[State] = Field(default=[], description="One of these states.")
    priority: list[Priority] = Field(default=[], description="One of these priorities.")
    agent: Text | None = Field(
        default=None, description="The id of the agent that works on it, or did last."
    )
    task_type: Text | None = Field(default=None, description="Its `task_data.task_type`.")
    capability: list[Text] = Field(default=[], description="It requires all of these.")
    service: list[Text] = Field(default=[], description="It requires all of these.")
    agent_type: Text | None = Field(default=None, description="It requires this type of agent.")
    submitted_after: Instant | None = Field(
        default=None, description="At this instant or later: RFC 3339, with its offset."
    )
    submitted_before: Instant | None = Field(
        default=None, description="Before this instant: RFC 3339, with its offset."
    )

    def filter(self) -> TaskFilter:
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
        )


class AgentsTaskQuery(PageQuery):
    """Which tasks of one agent."""

    state: list[State] = Field(default=[], description="One of these states.")


class AgentQuery(PageQuery):
    """Which agents: they must match all filters."""

    status: list[AgentStatus] = Field(default=[], description="One of these statuses.")
    agent_type: list[Text] = Field(default=[], description="One of these types.")
    capability: list[Text] = Field(default=[], description="It has all of these.")
    service: list[Text] = Field(default=[], description="It has all of these.")
    listening: bool | None = Field(
        default=None, description="Whether it takes tasks from the broker."
    )

    def filter(self) -> AgentFilter:
        return AgentFilter(
            statuses=frozenset(status.value for status in self.status),
            agent_types=frozenset(self.agent_type),
            capabilities=frozenset(self.capability),
            services=frozenset(self.service),
            listening=self.listening,
        )


class WaitQuery(BaseModel):
    """How long to wait."""

    model_config = ConfigDict(frozen=True)

    timeout: float = Field(
        default=30, ge=0, le=LONGEST_WAIT, allow_inf_nan=False, description="Seconds."
    )
