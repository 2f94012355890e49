"""Tells how the service is, for people, restarts, load balancers and monitors; what it is, at `/`; and who
calls, at `/whoami`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from coordinator.api.access_control.caller import Caller
from coordinator.api.endpoint_route import EndpointRoute
from coordinator.api.endpoint_services import EndpointServices, Wired
from coordinator.api.error_bodies import error_shape
from coordinator.api.json_answer import JsonAnswer
from coordinator.api.openapi_document import error, error_example, success
from coordinator.api.wire.fields.instants import iso, timestamp
from coordinator.api.wire.health import FindingsAnswer, Health, Live, Ready, Root, Whoami

__all__ = ["SERVICE", "router"]

SERVICE = "agent-coordinator"

_NOT_READY = "not_ready"
"""The code of a 503 that is no error: the service is as it says."""

router = APIRouter(tags=["Health"], route_class=EndpointRoute)


@router.get("/health", summary="How the service is", responses=success(Health))
async def health(wired: Wired) -> JsonAnswer:
    """Always 200: `healthy`, or `degraded` with what is wrong. Queries are answered in both."""
    problems = list(wired.problems())
    body = _health(problems, wired)
    return JsonAnswer(body | {"problems": problems} if problems else body)


@router.get(
    "/health/findings",
    summary="What `coordinator doctor` says",
    responses=success(FindingsAnswer)
    | {404: error("Not told here", error_example("This process examines nothing", "not_found"))},
)
async def get_findings(wired: Wired) -> JsonAnswer:
    """Examines the broker and the ledger as `coordinator doctor` does beside this process, and says what to
    put right, and how. It takes a second or more; what was found is told for 15 seconds.
    """
    if wired.examine is None:
        raise HTTPException(404, _NOT_EXAMINED)
    found = await wired.examine()
    levels = {one.level for one in found.findings}
    now = datetime.now(UTC)
    return JsonAnswer(
        {
            "status": "success",
            "level": next((word for word in _WORST_FIRST if word in levels), "ok"),
            "findings": [
                {"level": one.level, "check": one.check, "text": one.text, "fix": one.fix}
                for one in found.findings
            ],
            "examined_at": iso(now - timedelta(seconds=found.seconds_ago)),
            "timestamp": iso(now),
        }
    )


_WORST_FIRST = ("problem", "warning")
_NOT_EXAMINED = "This process examines nothing: run `coordinator doctor` where its settings are"


@router.get("/healthz", include_in_schema=False)
async def healthz(wired: Wired) -> JsonAnswer:
    """As `/health`, for probes that have no credential, and so without what is wrong."""
    return JsonAnswer(_health(list(wired.problems()), wired))


def _health(problems: list[str], wired: EndpointServices) -> dict[str, Any]:
    return {
        "status": "degraded" if problems else "healthy",
        "service": SERVICE,
        "version": wired.version,
        "timestamp": timestamp(),
    }


@router.get("/livez", include_in_schema=False)
@router.get("/health/live", summary="Whether the process answers", responses=success(Live))
async def live() -> JsonAnswer:
    """For whoever restarts what hangs. Says nothing of the broker: a restart would not help. `/livez` is the
    same.
    """
    return JsonAnswer({"status": "alive", "timestamp": timestamp()})


@router.get("/readyz", include_in_schema=False)
@router.get(
    "/health/ready",
    summary="Whether tasks can be submitted now",
    responses=success(Ready)
    | {
        503: error("Not ready: `detail` says why", error_example("The broker is away.", _NOT_READY))
    },
)
async def ready(wired: Wired) -> JsonAnswer:
    """For whoever sends requests here only while they can be served. While the database alone is
    away, tasks are still taken, so that this says yes; `/health` tells. `/readyz` is the same.
    """
    obstacles = list(wired.obstacles())
    if obstacles:
        return JsonAnswer(error_shape(" ".join(obstacles), _NOT_READY), status_code=503)
    return JsonAnswer({"status": "ready", "timestamp": timestamp()})


# Whoever may read may scrape: with keys this is for the role `reader`, on a listener of its own for all.
@router.get(
    "/metrics",
    summary="What Prometheus reads",
    response_class=PlainTextResponse,
    responses={
        404: error(
            "Not told here",
            error_example("This API tells no metrics: COORDINATOR_METRICS", "not_found"),
        )
    },
)
async def metrics(request: Request, wired: Wired) -> Response:
    """Counters, gauges and histograms of the whole service, in the text format of Prometheus, or in
    OpenMetrics where `Accept` asks for it. 404 where they are turned off (`COORDINATOR_METRICS`), or have a
    listener of their own (`COORDINATOR_METRICS_PORT`).
    """
    if wired.scrape is None:
        raise HTTPException(404, _NOT_TOLD_HERE)
    body, media_type = await wired.scrape(request.headers.get("accept", ""))
    return Response(body, headers={"Content-Type": media_type})


_NOT_TOLD_HERE = (
    "This API tells no metrics: they have a port of their own (COORDINATOR_METRICS_PORT), or are turned off"
    " (COORDINATOR_METRICS)"
)


@router.get("/whoami", summary="Who calls, and with which roles", responses=success(Whoami))
async def whoami(caller: Caller) -> JsonAnswer:
    """For whoever shows people only what they may do. What is refused is said by each endpoint."""
    return JsonAnswer(
        {"actor": caller.actor, "roles": sorted(caller.roles), "agent_id": caller.agent_id}
    )


@router.get("/", summary="What this service is", responses=success(Root))
async def root(request: Request, wired: Wired) -> JsonAnswer:
    """The service's name and version, and its endpoints; `/docs` is for people."""
    endpoints = sorted(request.app.openapi()["paths"])
    return JsonAnswer(
        {
            "service": request.app.title,
            "description": request.app.summary,
            "version": wired.version,
            "endpoints": [*endpoints, "/docs", "/openapi.json"],
        }
    )
