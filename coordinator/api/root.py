"""What this service is, for whoever opens its address."""

from __future__ import annotations

from fastapi import APIRouter, Request

from .answers import Root
from .documented import success
from .endpoint import Endpoint
from .rendering import Answer
from .services import Wired

__all__ = ["DESCRIPTION", "TITLE", "router"]

TITLE = "Agent Coordinator"

DESCRIPTION = "Hands tasks to a fleet of agents over RabbitMQ, and knows how each of them stands."

router = APIRouter(tags=["Health"], route_class=Endpoint)


@router.get("/", summary="What this service is", responses=success(Root))
async def root(request: Request, wired: Wired) -> Answer:
    """The service's name and version, and its endpoints; `/docs` is for people."""
    endpoints = sorted(request.app.openapi()["paths"])
    return Answer(
        {
            "service": TITLE,
            "description": DESCRIPTION,
            "version": wired.version,
            "endpoints": [*endpoints, "/docs", "/openapi.json"],
        }
    )
