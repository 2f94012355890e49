"""Makes what answers questions: pages, reasons why a task waits, statistics and sizes of queues, metrics, and
what running tasks tell of themselves.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from coordinator import __version__
from coordinator.metrics.counting import Counting
from coordinator.metrics.current_figures import CurrentFigures, CurrentSources
from coordinator.metrics.group_file import GroupMember
from coordinator.metrics.metric_catalogue import IN_FLIGHT, SUBSCRIBERS
from coordinator.metrics.metrics_page import MetricsPage
from coordinator.metrics.projector_lag import ProjectorLag
from coordinator.partial_output.output_counts import NOT_COUNTED
from coordinator.partial_output.output_reader import OutputReader
from coordinator.partial_output.output_subscriptions import PartialOutput
from coordinator.registry.queries.explanations.why_waiting import WhyWaiting
from coordinator.registry.queries.paged_queries import PagedQueries
from coordinator.registry.queries.queue_sizes import QueueSizes
from coordinator.registry.queries.queue_statistics import QueueStatistics
from coordinator.registry.stores.broker_users import BrokerUsers
from coordinator.settings.settings import Settings
from coordinator.streaming.subscriber_counts import SubscriberCounts

from .agent_registry import AgentRegistry
from .broker_connections import BrokerConnections
from .health_report import HealthReport
from .publishers import Publishers
from .starting_state import StartingState

__all__ = ["QueryServices", "make_metrics_page", "make_output_reader", "make_query_services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryServices:
    """Holds what answers queries, and changes nothing."""

    browsing: PagedQueries
    explainer: WhyWaiting
    queue_lines: QueueStatistics
    queue_sizes: QueueSizes


def make_query_services(
    settings: Settings, state: StartingState, connections: BrokerConnections, agents: AgentRegistry
) -> QueryServices:
    """Reasons and sizes look at queues one after the other, on one channel."""
    registry, depths = agents.registry, connections.depths
    return QueryServices(
        browsing=PagedQueries(ledger=state.ledger, agents=agents.agents, registry=registry),
        explainer=WhyWaiting(
            find=registry.task,
            agents=agents.agents,
            book=state.book,
            types=state.types,
            ledger=state.ledger,
            depths=depths,
            lost_after=settings.unnamed_for,
        ),
        queue_lines=QueueStatistics(
            ledger=state.ledger,
            agents=agents.agents,
            book=state.book,
            pending=registry.pending,
            now=state.now,
        ),
        queue_sizes=QueueSizes(book=state.book, depths=depths),
    )


def make_metrics_page(
    settings: Settings,
    state: StartingState,
    connections: BrokerConnections,
    publishers: Publishers,
    agents: AgentRegistry,
    *,
    queries: QueryServices,
    health: HealthReport,
    counting: Counting,
    subscribers: SubscriberCounts,
    member: GroupMember | None,
) -> MetricsPage:
    """What ``counting`` has counted, and what is true now. ``member`` tells of the other processes of the
    service, where there are some.
    """
    lag = ProjectorLag(publishers.barrier.ledger)
    sources = CurrentSources(
        ledger=state.ledger,
        agents=agents.agents,
        book=state.book,
        depths=connections.depths,
        counted_depths=lambda: health.admission.depths_seen,
        sizes=queries.queue_sizes,
        lines=queries.queue_lines,
        lag=lag,
        problems=health.problems,
        obstacles=health.obstacles,
        now=state.now,
    )
    return MetricsPage(
        counting.figures,
        CurrentFigures(
            sources, most_lanes=settings.metrics_lanes, most_agents=settings.metrics_agents
        ),
        version=__version__,
        held=lambda: {
            IN_FLIGHT.name: {(): counting.publishes.in_flight},
            SUBSCRIBERS.name: {
                (kind.value,): count for kind, count in subscribers.by_kind().items()
            },
        },
        member=member,
    )


def make_output_reader(
    settings: Settings,
    state: StartingState,
    users: BrokerUsers,
    *,
    process: str,
    counting: Counting | None,
) -> OutputReader:
    """Hears partial output for the subscribers of this process."""
    output = PartialOutput(
        tail_bytes=settings.output_tail_bytes,
        most_bytes=settings.max_output_bytes,
        now=state.now,
        monotonic=time.monotonic,
        counts=NOT_COUNTED if counting is None else counting.output,
    )
    return OutputReader(output, process=process, secret=state.secret, identities=users.identities)
