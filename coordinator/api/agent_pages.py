"""Many agents over HTTP, a page at a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from . import cursors
from .documented import responses
from .endpoint import Endpoint
from .page_answers import AgentPageAnswer
from .page_queries import AgentQuery
from .rendering import Answer, timestamp
from .services import Wired
from .shapes import agent_shape

__all__ = ["router"]

router = APIRouter(tags=["Agents"], route_class=Endpoint)


@router.get(
    "/agents",
    summary="List agents",
    responses=responses("list_agents", AgentPageAnswer, 422),
)
async def list_agents(query: Annotated[AgentQuery, Query()], wired: Wired) -> Answer:
    """By id, in pages; `total` is how many match. A value that nobody has matches nobody."""
    page = wired.browsing.agents(
        query.filter(), after=cursors.AGENTS.read(query.cursor), limit=query.limit
    )
    return Answer(
        {
            "status": "success",
            "agents": [agent_shape(agent) for agent in page.agents],
            "count": len(page.agents),
            "total": page.total,
            "next_cursor": cursors.AGENTS.write(page.following),
            "timestamp": timestamp(),
        }
    )
