"""Tasks over HTTP: submit one, look one up, and the statistics of all."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Request

from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.submission.submitter import SubmitTask

from .answers import Submitted, TaskAnswer, TaskStatusAnswer
from .documented import errors
from .endpoint import Endpoint
from .path_segments import SEGMENT
from .queue_sizes import by_priority
from .rendering import Answer, iso, timestamp
from .schemas import SubmitTaskBody, TaskRequirements
from .services import Wired
from .shapes import task_shape, totals_shape

__all__ = ["lookup", "router"]

router = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=Endpoint)

lookup = APIRouter(prefix="/tasks", tags=["Tasks"], route_class=Endpoint)
"""Included last: its path has room for any word, such as `status` and `queues`."""

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


@router.post(
    "/submit",
    summary="Submit a task",
    response_model=Submitted,
    responses=errors("submit_task", 400, 409, 413, 422, 503),
)
async def submit_task(body: SubmitTaskBody, request: Request, wired: Wired) -> Answer:
    """Answered once the broker has the task on disk: from then on it is not lost. It goes to the
    queue of its priority and requirements, and to the next agent with a free slot that has them.

    With a `task_data.task_id` of your own you may repeat the request: the same task is accepted
    once and answered the same, another task under that id is a 409. A 503 that carries a `task_id`
    means that the broker did not answer: the task may have been accepted. A `warning` in the answer
    says that no agent is there that could do it: it waits for one.
    """
    requirements = _requirements(body.requirements)
    accepted = await wired.submitter.submit(
        SubmitTask(
            task_data=body.task_data,
            priority=Priority.parse(body.priority),
            requirements=requirements,
            timeout_seconds=body.timeout_seconds,
            metadata=body.metadata,
            headers=_trace(request),
        )
    )
    answer = {
        "status": "success",
        "message": "Task submitted successfully",
        "task_id": accepted.task_id,
        "priority": accepted.priority.value,
        "submitted_at": iso(accepted.submitted_at),
    }
    warning = await wired.explainer.warning(requirements)
    return Answer(answer if warning is None else answer | {"warning": warning})


@router.get(
    "/status",
    summary="Statistics of all tasks",
    response_model=TaskStatusAnswer,
    responses=errors("get_task_status", 503),
)
async def get_task_status(wired: Wired) -> Answer:
    """How many tasks went out and how they ended, how the fleet is loaded, and how many tasks wait
    at each priority.
    """
    depths = await wired.queue_sizes.look()
    totals = await wired.registry.statistics()
    return Answer(
        {
            "status": "success",
            "stats": totals_shape(totals, by_priority(depths)),
            "timestamp": timestamp(),
        }
    )


@lookup.get(
    f"/{{task_id:{SEGMENT}}}",
    summary="Look up a task",
    response_model=TaskAnswer,
    responses=errors("get_task", 404, 503),
)
async def get_task(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")], wired: Wired
) -> Answer:
    """Where a task stands: its state, attempts, times and agent, and its result or error."""
    task = await wired.registry.task(task_id)
    return Answer({"status": "success", "task": task_shape(task), "timestamp": timestamp()})


def _requirements(body: TaskRequirements | None) -> Requirements:
    if body is None:
        return Requirements()
    return Requirements(
        agent_type=body.agent_type or None,
        capabilities=tuple(body.capabilities or ()),
        services=tuple(body.services or ()),
        agent_id=body.agent_id or None,
    )


def _trace(request: Request) -> dict[str, str]:
    """The request's W3C trace context, for the task to carry on."""
    value = request.headers.get("traceparent", "")
    return {"traceparent": value} if _TRACEPARENT.fullmatch(value) else {}
