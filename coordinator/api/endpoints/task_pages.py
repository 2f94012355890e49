"""Many tasks over HTTP, a page at a time; the timeline of one; and waiting for its end."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from coordinator.api.endpoint import Endpoint
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer, timestamp
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.page_answers import (
    TaskPageAnswer,
    TimelineAnswer,
    WaitAnswer,
    happening_shape,
    summary_shape,
)
from coordinator.api.wire.page_queries import AgentsTaskQuery, PageQuery, TaskQuery, WaitQuery
from coordinator.api.wire.shapes import task_shape
from coordinator.registry.queries.task_pages import Place

__all__ = ["router"]

router = APIRouter(tags=["Tasks"], route_class=Endpoint)


@router.get(
    "/tasks",
    summary="List tasks",
    responses=responses("list_tasks", TaskPageAnswer, 422, 503),
)
async def list_tasks(query: Annotated[TaskQuery, Query()], wired: Wired) -> JsonAnswer:
    """The newest first, in pages: `next_cursor` leads to the next one, which is as quick as the
    first however many tasks there are. What each task holds and what came of it is at
    `GET /tasks/{task_id}`.
    """
    after = cursors.TASKS.read(query.cursor)
    page = await wired.browsing.tasks(
        query.filter(), after=None if after is None else Place(*after), limit=query.limit
    )
    return _page([summary_shape(task) for task in page.tasks], cursors.TASKS.write(page.following))


@router.get(
    f"/agents/{{agent_id:{SEGMENT}}}/tasks",
    summary="List the tasks of an agent",
    responses=responses("list_agent_tasks", TaskPageAnswer, 404, 422, 503),
)
async def list_agent_tasks(
    agent_id: Annotated[str, Path(description="The agent's id, URL-encoded.")],
    query: Annotated[AgentsTaskQuery, Query()],
    wired: Wired,
) -> JsonAnswer:
    """The tasks that the agent works on or was the last to work on: those that run first, then the
    others, each the newest first. Also of an agent that is no longer registered.
    """
    found = await wired.browsing.agents_tasks(
        agent_id, frozenset(query.state), after=_place(query.cursor), limit=query.limit
    )
    return _page(
        [summary_shape(task) for task in found.page.tasks],
        cursors.AGENTS_TASKS.write(found.following),
    )


@router.get(
    f"/tasks/{{task_id:{SEGMENT}}}/events",
    summary="The timeline of a task",
    responses=responses("list_task_events", TimelineAnswer, 404, 422, 503),
)
async def list_task_events(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")],
    query: Annotated[PageQuery, Query()],
    wired: Wired,
) -> JsonAnswer:
    """Everything that happened to a task in the order of the log, with every attempt: the oldest
    first.
    """
    found = await wired.browsing.timeline(
        task_id, after=cursors.EVENTS.read(query.cursor), limit=query.limit
    )
    return JsonAnswer(
        {
            "status": "success",
            "task_id": task_id,
            "events": [happening_shape(one) for one in found.events],
            "count": len(found.events),
            "next_cursor": cursors.EVENTS.write(found.following),
            "timestamp": timestamp(),
        }
    )


@router.get(
    f"/tasks/{{task_id:{SEGMENT}}}/wait",
    summary="Wait for the end of a task",
    responses=responses("wait_for_task", WaitAnswer, 404, 422, 503),
)
async def wait_for_task(
    task_id: Annotated[str, Path(description="The task's id, URL-encoded.")],
    query: Annotated[WaitQuery, Query()],
    wired: Wired,
) -> JsonAnswer:
    """Answers the moment the task ends, or after `timeout` seconds with the task as it stands then:
    `ended` tells which. A client's own time-out must be longer.
    """
    task = await wired.browsing.wait(task_id, timedelta(seconds=query.timeout))
    return JsonAnswer(
        {
            "status": "success",
            "ended": task.ended,
            "task": task_shape(task),
            "timestamp": timestamp(),
        }
    )


def _place(cursor: str | None) -> tuple[bool, Place | None] | None:
    after = cursors.AGENTS_TASKS.read(cursor)
    if after is None:
        return None
    running, place = after
    return running, None if place is None else Place(*place)


def _page(tasks: list[dict[str, Any]], next_cursor: str | None) -> JsonAnswer:
    return JsonAnswer(
        {
            "status": "success",
            "tasks": tasks,
            "count": len(tasks),
            "next_cursor": next_cursor,
            "timestamp": timestamp(),
        }
    )
