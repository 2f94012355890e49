"""Lists agents by filters, a page at a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
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
async def list_agents(query: Annotated[AgentQuery, Query()], wired: Wired) -> JsonAnswer:
    """By id, in pages; `total` is how many match. A value that nobody has matches nobody."""
    page = wired.browsing.agents(
        query.filter(), after=cursors.AGENTS.read(query.cursor), limit=query.limit
    )
    return JsonAnswer(
        {
            "status": "success",
            "agents": [agent_shape(agent) for agent in page.agents],
            "count": len(page.agents),
            "total": page.total,
            "next_cursor": cursors.AGENTS.write(page.following),
            "timestamp": timestamp(),
        }
    )
