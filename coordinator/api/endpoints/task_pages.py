"""Lists tasks by filters, or those of one agent, a page at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query

from coordinator.api.access_control.caller import Caller
from coordinator.api.access_control.own_things import only_own
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.path_segments import SEGMENT
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.fields.instants import timestamp
from coordinator.api.wire.task_pages import (
    AgentsTaskQuery,
    TaskPageAnswer,
    TaskQuery,
    summary_shape,
)
from coordinator.domain.task import IN_HAND, State
from coordinator.registry.queries.task_pages import Place, place_of

__all__ = ["router"]

router = APIRouter(tags=["Tasks"], route_class=EndpointRoute)


@router.get(
    "/tasks",
    summary="List tasks",
    responses=responses("list_tasks", TaskPageAnswer, 422, 503),
)
async def list_tasks(
    query: Annotated[TaskQuery, Query()], wired: Wired, caller: Caller
) -> ListAnswer:
    """The newest first, in pages: `next_cursor` leads to the next one, which is as quick as the
    first however many tasks there are. Who may see its own tasks alone is told of no others. What each
    task holds and what came of it is at `GET /tasks/{task_id}`: here texts of agents have 1000 characters at
    most. A page has 4 MiB at most, and fewer tasks than `limit` where they are large. It is sifted from
    5000 tasks at most, and is short or empty where few of them match; the next one goes on from there.
    """
    after = cursors.TASKS.read(query.cursor)
    page = await wired.browsing.tasks(
        replace(query.filter(wired.metadata_keys), submitted_by=only_own("list_tasks", caller)),
        after=None if after is None else Place(*after),
        limit=query.limit,
    )
    shown = await written(page.tasks, summary_shape)
    cut = len(shown) < len(page.tasks)
    following = place_of(page.tasks[len(shown) - 1]) if cut else page.following
    return _page(shown, cursors.TASKS.write(following))


@router.get(
    f"/agents/{{agent_id:{SEGMENT}}}/tasks",
    summary="List the tasks of an agent",
    responses=responses("list_agent_tasks", TaskPageAnswer, 404, 422, 503),
)
async def list_agent_tasks(
    agent_id: Annotated[str, Path(description="The agent's id, URL-encoded.")],
    query: Annotated[AgentsTaskQuery, Query()],
    wired: Wired,
) -> ListAnswer:
    """The tasks that the agent works on or was the last to work on: those that run first, then the
    others, each the newest first. Also of an agent that is no longer registered.
    """
    found = await wired.browsing.agents_tasks(
        agent_id,
        frozenset(query.state),
        after=_place(query.cursor),
        limit=query.limit,
        labels=query.labels(wired.metadata_keys),
    )
    tasks = found.page.tasks
    shown = await written(tasks, summary_shape)
    following: tuple[bool, Place | None] | None = found.following
    if len(shown) < len(tasks):
        last = tasks[len(shown) - 1]
        following = State(last.state) in IN_HAND, place_of(last)
    return _page(shown, cursors.AGENTS_TASKS.write(following))


def _place(cursor: str | None) -> tuple[bool, Place | None] | None:
    after = cursors.AGENTS_TASKS.read(cursor)
    if after is None:
        return None
    running, place = after
    return running, None if place is None else Place(*place)


def _page(tasks: list[bytes], next_cursor: str | None) -> ListAnswer:
    after = {"count": len(tasks), "next_cursor": next_cursor, "timestamp": timestamp()}
    return ListAnswer({"status": "success"}, "tasks", tasks, after)
