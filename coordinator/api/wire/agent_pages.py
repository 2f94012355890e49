"""Reads the filters of a list of agents, and describes its pages."""

from __future__ import annotations

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import AnswerModel, Instant, Success
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.registry.agents.in_memory.agent_filter import AgentFilter

from .agents import AgentShape
from .fields.page_fields import Count, FilterText, NextCursor, PageQuery, Total

__all__ = ["AgentPageAnswer", "AgentQuery"]


class AgentQuery(PageQuery):
    """Selects the agents that match all filters."""

    status: list[AgentStatus] = Field(default=[], description="One of these statuses.")
    agent_type: list[FilterText] = Field(default=[], description="One of these types.")
    capability: list[FilterText] = Field(default=[], description="It has all of these.")
    service: list[FilterText] = Field(default=[], description="It has all of these.")
    listening: bool | None = Field(
        default=None, description="Whether it takes tasks from the broker."
    )

    def filter(self) -> AgentFilter:
        """The filter that the query asks for."""
        return AgentFilter(
            statuses=frozenset(status.value for status in self.status),
            agent_types=frozenset(self.agent_type),
            capabilities=frozenset(self.capability),
            services=frozenset(self.service),
            listening=self.listening,
        )


class AgentPageAnswer(AnswerModel):
    status: Success
    agents: list[AgentShape]
    count: Count
    total: Total
    next_cursor: NextCursor
    timestamp: Instant
