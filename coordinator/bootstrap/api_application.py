"""Makes the FastAPI application from the stages of the service."""

from __future__ import annotations

from fastapi import FastAPI

from coordinator import __version__
from coordinator.api import EndpointServices, create_app
from coordinator.metrics.metrics_page import MetricsPage
from coordinator.settings.settings import Settings

from .agent_registry import AgentRegistry
from .health_report import HealthReport
from .query_services import QueryServices
from .task_recovery import RequestedChanges
from .task_submission import TaskSubmission

__all__ = ["make_application"]


def make_application(
    settings: Settings,
    *,
    agents: AgentRegistry,
    submission: TaskSubmission,
    changes: RequestedChanges,
    queries: QueryServices,
    health: HealthReport,
    page: MetricsPage | None,
) -> FastAPI:
    """The application answers at once; what it cannot do yet is a 503."""
    return create_app(
        EndpointServices(
            submitter=submission.submitter,
            batches=submission.batches,
            once=submission.once,
            clearer=submission.clearer,
            canceller=changes.canceller,
            redriver=changes.redriver,
            dead_tasks=changes.dead_tasks,
            deletion=changes.deletion,
            registry=agents.registry,
            registrar=agents.registrar,
            explainer=queries.explainer,
            schedules=submission.schedules,
            browsing=queries.browsing,
            queue_sizes=queries.queue_sizes,
            queue_lines=queries.queue_lines,
            version=__version__,
            problems=health.problems,
            obstacles=health.obstacles,
            scrape=page.scrape if page is not None and settings.metrics_port is None else None,
            limits=submission.limits,
            max_body_bytes=settings.max_body_bytes,
            max_batch_bytes=settings.max_batch_bytes,
        )
    )
