"""Writes the explanation why a task waits."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from coordinator.api.wire.fields.answer_fields import (
    AgentId,
    AgentStatusName,
    AnswerModel,
    Instant,
    Success,
    TaskId,
)
from coordinator.registry.queries.explanations.why_waiting import AgentObstacles, Explanation

from .fields.instants import iso_or_none

__all__ = ["ExplainAnswer", "ExplainedAgent", "ExplanationShape", "explanation_shape"]


class ExplainedAgent(AnswerModel):
    agent_id: AgentId
    status: AgentStatusName
    why_not: list[str] = Field(
        description="Why it does not start the task now; empty where nothing keeps it from it.",
        examples=[["it lacks the capability 'gpu'"]],
    )


class ExplanationShape(AnswerModel):
    task_id: TaskId
    state: str = Field(examples=["queued"])
    why: str = Field(
        description="One sentence.",
        examples=[
            "No agent that is registered now may do it; no tasks of its lane are ahead of it."
        ],
    )
    lane: str = Field(examples=["cap:gpu"])
    priority: str = Field(examples=["normal"])
    task_type: str | None = Field(description="Its `task_data.task_type`.", examples=["train"])
    requirements: dict[str, Any] = Field(examples=[{"capabilities": ["gpu"]}])
    due_at: Instant | None = Field(
        description="When it will be put on its queue, of a task that is scheduled or waits."
    )
    ahead: dict[str, int] = Field(
        description="Tasks of its lane that are taken before it, by priority.",
        examples=[{"urgent": 0, "normal": 3}],
    )
    able: list[ExplainedAgent] = Field(description="Agents that may do it; the first fifty.")
    able_count: int
    unable: list[ExplainedAgent] = Field(description="Agents that may not; some fifty.")
    unable_count: int
    warnings: list[str] = Field(
        description="What has to change before it can be done.",
        examples=[["No agent that ever registered has the capability 'gpu'."]],
    )


class ExplainAnswer(AnswerModel):
    status: Success
    explanation: ExplanationShape
    timestamp: Instant


def explanation_shape(found: Explanation) -> dict[str, Any]:
    """An explanation as `ExplanationShape` describes it."""
    task = found.task
    return {
        "task_id": task.task_id,
        "state": task.state,
        "why": found.why,
        "lane": task.lane,
        "priority": task.priority.value,
        "task_type": task.task_type,
        "requirements": task.requirements,
        "due_at": iso_or_none(found.due_at),
        "ahead": found.ahead,
        "able": [_agent_shape(one) for one in found.able],
        "able_count": found.able_count,
        "unable": [_agent_shape(one) for one in found.unable],
        "unable_count": found.unable_count,
        "warnings": found.warnings,
    }


def _agent_shape(one: AgentObstacles) -> dict[str, Any]:
    return {"agent_id": one.agent_id, "status": one.status, "why_not": one.why_not}
