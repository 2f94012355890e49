"""What this service is, for whoever opens its address."""

from __future__ import annotations

from fastapi import APIRouter, Request

from coordinator.api.endpoint import Endpoint
from coordinator.api.endpoint_services import Wired
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import success
from coordinator.api.wire.answers import Root

__all__ = ["DESCRIPTION", "TITLE", "router"]

TITLE = "Agent Coordinator"

DESCRIPTION = "Hands tasks to a fleet of agents over RabbitMQ, and knows how each of them stands."

router = APIRouter(tags=["Health"], route_class=Endpoint)


@router.get("/", summary="What this service is", responses=success(Root))
async def root(request: Request, wired: Wired) -> JsonAnswer:
    """The service's name and version, and its endpoints; `/docs` is for people."""
    endpoints = sorted(request.app.openapi()["paths"])
    return JsonAnswer(
        {
            "service": TITLE,
            "description": DESCRIPTION,
            "version": wired.version,
            "endpoints": [*endpoints, "/docs", "/openapi.json"],
        }
    )
