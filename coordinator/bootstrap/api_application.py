"""Makes the FastAPI application from the stages of the service, and what guards it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from ipaddress import ip_address

from fastapi import FastAPI
from starlette.types import ASGIApp

from coordinator import __version__
from coordinator.access.access_rules import JwtRules
from coordinator.access.audit_log import AuditLog
from coordinator.access.authenticator import Authenticator, VerifiesTokens
from coordinator.access.caller_quotas import CallerQuotas
from coordinator.access.key_ring import KeyRing
from coordinator.access.request_rates import RequestRates
from coordinator.access.roles import Role
from coordinator.api import EdgeRules, EndpointServices, MakesPages, create_app
from coordinator.api.ports.query_ports import Examines
from coordinator.metrics.counting import Counting
from coordinator.metrics.metrics_page import MetricsPage
from coordinator.partial_output.output_frames import OutputFrames
from coordinator.partial_output.output_subscriptions import PartialOutput
from coordinator.registry.stores.api_keys import ApiKeys
from coordinator.settings.settings import Settings
from coordinator.streaming.event_feed import EventFeed
from coordinator.streaming.subscriber_counts import SubscriberCounts

from .agent_registry import AgentRegistry
from .callbacks.callback_stage import Callbacks
from .health_report import HealthReport
from .query_services import QueryServices
from .starting_state import StartingState
from .task_recovery import RequestedChanges, TaskRecovery
from .task_submission import TaskSubmission

__all__ = ["AccessControl", "make_access_control", "make_application"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessControl:
    """Holds what guards the API; all of it is None where nobody is asked who calls."""

    authenticator: Authenticator | None
    audit: AuditLog | None
    rates: RequestRates | None
    quotas: CallerQuotas

    @property
    def ring(self) -> KeyRing | None:
        """The API keys, where somebody is asked who calls."""
        return None if self.authenticator is None else self.authenticator.ring

    def note_follow_up(
        self, task_id: str, *, agent_id: str, parent_id: str, submitted_by: str | None
    ) -> None:
        """In the audit log, where there is one: an agent was answered over the broker, from no address."""
        if self.audit is not None:
            facts = {"task_id": task_id, "parent_id": parent_id, "submitted_by": submitted_by}
            actor = f"agent:{agent_id}"
            self.audit.note("submit_follow_up", actor=actor, address=None, status=200, facts=facts)


async def make_access_control(settings: Settings, state: StartingState) -> AccessControl:
    """With the keys as they are now. Raises `LedgerUnavailable`."""
    required = settings.auth == "required"
    authenticator: Authenticator | None = None
    if required:
        ring = KeyRing(ApiKeys(state.ledger, now=state.now), now=state.now)
        await ring.look()
        jwts = _jwts(settings)
        if ring.empty and jwts is None:
            logger.warning("there is no API key, and nobody can call: `coordinator keys create`")
        authenticator = Authenticator(ring, jwts)
    rate = settings.rate_limit
    return AccessControl(
        authenticator=authenticator,
        audit=AuditLog() if required or settings.audit_log else None,
        rates=None if rate is None else RequestRates(rate),
        quotas=CallerQuotas(
            tasks=settings.max_callers_tasks,
            waiters=settings.max_waiters,
            streams=settings.max_callers_streams,
            schedules=settings.max_schedules,
            agents=settings.max_callers_agents,
        ),
    )


def _jwts(settings: Settings) -> VerifiesTokens | None:
    if settings.jwt_issuer is None or settings.jwt_audience is None:
        return None
    from coordinator.access.jwt_key_sources import FileKeys, JwksKeys  # noqa: PLC0415
    from coordinator.access.jwt_verification import JwtVerification  # noqa: PLC0415 - loads much

    words = dict(pair.split("=", 1) for pair in settings.jwt_roles) or {one: one for one in Role}
    rules = JwtRules(
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
        algorithms=settings.jwt_algorithms,
        leeway=settings.jwt_leeway,
        roles_claim=settings.jwt_roles_claim,
        role_words={word: Role(role) for word, role in words.items()},
        agent_claim=settings.jwt_agent_claim,
    )
    if settings.jwt_key_file is not None:
        return JwtVerification(rules, FileKeys(settings.jwt_key_file))
    return JwtVerification(rules, JwksKeys(settings.jwt_jwks_url or ""))


def make_application(
    settings: Settings,
    *,
    agents: AgentRegistry,
    submission: TaskSubmission,
    callbacks: Callbacks,
    changes: RequestedChanges,
    recovery: TaskRecovery,
    queries: QueryServices,
    health: HealthReport,
    access: AccessControl,
    page: MetricsPage | None,
    counting: Counting | None,
    feed: EventFeed,
    subscribers: SubscriberCounts,
    output: PartialOutput,
    examine: Examines | None,
) -> FastAPI:
    """The application answers at once; what it cannot do yet is a 503."""
    return create_app(
        EndpointServices(
            submitter=submission.submitter,
            batches=submission.batches,
            once=submission.once,
            clearer=submission.clearer,
            lanes=recovery.requested_retirement,
            canceller=changes.canceller,
            group_canceller=changes.group_canceller,
            groups=queries.groups,
            answerer=changes.answerer,
            redriver=changes.redriver,
            dead_tasks=changes.dead_tasks,
            deletion=changes.deletion,
            registry=agents.registry,
            registrar=agents.registrar,
            explainer=queries.explainer,
            schedules=submission.schedules,
            callbacks=callbacks.deliveries,
            browsing=queries.browsing,
            queue_sizes=queries.queue_sizes,
            queue_lines=queries.queue_lines,
            feed=feed,
            subscribers=subscribers,
            task_items=(OutputFrames(output),),
            version=__version__,
            problems=health.problems,
            obstacles=health.obstacles,
            examine=examine,
            scrape=page.scrape if page is not None and settings.metrics_port is None else None,
            note_error=None if counting is None else counting.errors.note,
            limits=submission.limits,
            metadata_keys=frozenset(settings.metadata_keys),
            max_body_bytes=settings.max_body_bytes,
            max_batch_bytes=settings.max_batch_bytes,
            authenticator=access.authenticator,
            audit=access.audit,
            rates=access.rates,
            quotas=access.quotas,
        ),
        edge_rules(settings),
        _pages(settings),
    )


def _pages(settings: Settings) -> MakesPages | None:
    if not settings.dashboard:
        return None

    def make(api: ASGIApp) -> ASGIApp:
        from coordinator.dashboard import ApiInProcess, create_dashboard  # noqa: PLC0415 - when visited

        return create_dashboard(ApiInProcess(api), root_path=settings.root_path)

    return make


def edge_rules(settings: Settings) -> EdgeRules:
    """Who may reach the API, and the listener of the metrics. A name that either listens on is one of the
    service's own; an address needs no word, since connections tell which one they came to.
    """
    listens = (settings.http_host, settings.metrics_host)
    names = (host.lower() for host in listens if not _is_address(host))
    return EdgeRules(
        hosts=(*settings.allowed_hosts, *names),
        origins=settings.cors_origins,
        root_path=settings.root_path,
    )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
