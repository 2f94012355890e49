"""Lists agents by filters, a page at a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.list_answer import ListAnswer, written
from coordinator.api.openapi_document import responses
from coordinator.api.wire.agent_pages import AgentPageAnswer, AgentQuery
from coordinator.api.wire.agents import agent_shape
from coordinator.api.wire.fields import cursors
from coordinator.api.wire.fields.instants import timestamp

__all__ = ["router"]

router = APIRouter(tags=["Agents"], route_class=EndpointRoute)


@router.get(
    "/agents",
    summary="List agents",
    responses=responses("list_agents", AgentPageAnswer, 422),
)
async def list_agents(query: Annotated[AgentQuery, Query()], wired: Wired) -> ListAnswer:
    """By id, in pages; `total` is how many match. A page has 4 MiB at most, and fewer agents than `limit`
    where they are large. A value that nobody has matches nobody.
    """
    page = wired.browsing.agents(
        query.filter(), after=cursors.AGENTS.read(query.cursor), limit=query.limit
    )
    shown = await written(page.agents, agent_shape)
    cut = len(shown) < len(page.agents)
    following = page.agents[len(shown) - 1].agent_id if cut else page.following
    after = {
        "count": len(shown),
        "total": page.total,
        "next_cursor": cursors.AGENTS.write(following),
        "timestamp": timestamp(),
    }
    return ListAnswer({"status": "success"}, "agents", shown, after)
