"""Why a task waits, over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field

from coordinator.api.endpoint import Endpoint
from coordinator.api.endpoint_services import Wired
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.wire.answers import AgentId, AgentStatus, Described, Instant, Success, TaskId
from coordinator.api.wire.json_answers import Answer, iso, timestamp
from coordinator.registry.queries.explanations.why_waiting import AgentObstacles, Explanation

__all__ = ["router"]

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=Endpoint)


class ExplainedAgent(Described):
    agent_id: AgentId
    status: AgentStatus
    why_not: list[str] = Field(
        description="Why it does not start the task now; empty where nothing keeps it from it.",
        examples=[["it lacks the capability 'gpu'"]],
    )


class ExplanationShape(Described):
    task_id: TaskId
    state: str = Field(examples=["queued"])
    why: str = Field(
        description="One sentence.",
        examples=[
            "No agent that is registered now may do it; 0 tasks of its lane are ahead of it."
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


class ExplainAnswer(Described):
    status: Success
    explanation: ExplanationShape
    timestamp: Instant


@router.get(
    f"/{{task_id:{SEGMENT}}}/explain",
    summary="Why a task waits",
    responses=responses("explain_task", ExplainAnswer, 404, 503),
)
async def explain_task(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")], wired: Wired
) -> Answer:
    """What is ahead of it, which agents may do it, and for every other what it lacks. Tasks of other
    lanes that the same agents serve compete with it, too: they are not counted here.
    """
    found = await wired.explainer.explain(task_id)
    return Answer({"status": "success", "explanation": _shape(found), "timestamp": timestamp()})


def _shape(found: Explanation) -> dict[str, Any]:
    task = found.task
    return {
        "task_id": task.task_id,
        "state": task.state,
        "why": found.why,
        "lane": task.lane,
        "priority": task.priority.value,
        "task_type": task.task_type,
        "requirements": task.requirements,
        "due_at": None if found.due_at is None else iso(found.due_at),
        "ahead": found.ahead,
        "able": [_agent(one) for one in found.able],
        "able_count": found.able_count,
        "unable": [_agent(one) for one in found.unable],
        "unable_count": found.unable_count,
        "warnings": found.warnings,
    }


def _agent(one: AgentObstacles) -> dict[str, Any]:
    return {"agent_id": one.agent_id, "status": one.status, "why_not": one.why_not}
