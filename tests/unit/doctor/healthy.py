"""Facts of a system in which all is well; each test spoils what it is about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.doctor.facts.broker_location import BrokerLocation
from coordinator.doctor.facts.fact_types import (
    BrokerFacts,
    Facts,
    FeatureFlag,
    ListedQueue,
    ManagementFacts,
    NodeFacts,
    ObjectState,
    ObjectVerdict,
    Policy,
)
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import TOPOLOGY, task_queue_topology
from coordinator.registry.ledger.inspection_results import LedgerFacts, LedgerState
from coordinator.registry.tables.schema import SCHEMA_VERSION

__all__ = [
    "HEALTHY",
    "NOW",
    "SOURCE",
    "TIMEOUT_POLICY",
    "with_broker",
    "with_management",
    "with_node",
    "with_queue",
    "with_state",
]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
GB = 10**9
SOURCE = TaskQueue("any", Priority.NORMAL)
TIMEOUT_POLICY = Policy(
    name="timeouts",
    pattern=r"^tasks\.",
    apply_to="queues",
    definition={"consumer-timeout": 8 * 86_400_000},
)

_QUEUES = (*TOPOLOGY.queues, *task_queue_topology(SOURCE).queues)

HEALTHY = Facts(
    at=NOW,
    address=BrokerLocation(
        amqp_url="amqp://operator:hunter2@rabbit:5672/fleet",
        management_url="http://rabbit:15672",
        management_login=("operator", "hunter2"),
    ),
    broker=BrokerFacts(
        version="4.0.5",
        exchanges=tuple(
            ObjectState(name=one.name, verdict=ObjectVerdict.RIGHT) for one in TOPOLOGY.exchanges
        ),
        queues=tuple(
            ObjectState(name=one.name, verdict=ObjectVerdict.RIGHT, consumers=1)
            for one in TOPOLOGY.queues
        ),
        sources=(ObjectState(name=SOURCE.queue, verdict=ObjectVerdict.RIGHT),),
    ),
    management=ManagementFacts(
        url="http://rabbit:15672",
        nodes=(
            NodeFacts(
                name="rabbit@one",
                memory_used=1 * GB,
                memory_limit=4 * GB,
                disk_free=50 * GB,
                disk_limit=2 * GB,
                descriptors_used=100,
                descriptors_total=65536,
            ),
        ),
        flags=(
            FeatureFlag(name="quorum_queue", enabled=True),
            FeatureFlag(name="stream_queue", enabled=True),
            FeatureFlag(name="khepri_db", enabled=False, experimental=True),
        ),
        policies=(TIMEOUT_POLICY,),
        queues=tuple(
            ListedQueue(name=one.name, members=("rabbit@one",), online=("rabbit@one",))
            for one in _QUEUES
        ),
        bindings=frozenset((*TOPOLOGY.bindings, *task_queue_topology(SOURCE).bindings)),
    ),
    ledger=LedgerFacts(
        location="/data/ledger.sqlite3",
        state=LedgerState(
            schema_version=SCHEMA_VERSION,
            size=5_000_000,
            free=100 * GB,
            folded_until=NOW - timedelta(minutes=5),
            task_queues=(SOURCE,),
        ),
    ),
    default_timeout=timedelta(hours=1),
    longest_timeout=timedelta(days=7),
)


def with_broker(**changes: Any) -> Facts:
    assert isinstance(HEALTHY.broker, BrokerFacts)
    return replace(HEALTHY, broker=replace(HEALTHY.broker, **changes))


def with_queue(name: str, **changes: Any) -> Facts:
    """The queue, as AMQP tells it."""
    assert isinstance(HEALTHY.broker, BrokerFacts)
    return with_broker(
        **{
            kind: tuple(
                replace(one, **changes) if one.name == name else one
                for one in getattr(HEALTHY.broker, kind)
            )
            for kind in ("queues", "sources")
        }
    )


def with_management(**changes: Any) -> Facts:
    assert isinstance(HEALTHY.management, ManagementFacts)
    return replace(HEALTHY, management=replace(HEALTHY.management, **changes))


def with_node(**changes: Any) -> Facts:
    assert isinstance(HEALTHY.management, ManagementFacts)
    assert HEALTHY.management.nodes is not None
    return with_management(nodes=(replace(HEALTHY.management.nodes[0], **changes),))


def with_state(**changes: Any) -> Facts:
    """The ledger, as it is read."""
    assert HEALTHY.ledger.state is not None
    state = replace(HEALTHY.ledger.state, **changes)
    return replace(HEALTHY, ledger=replace(HEALTHY.ledger, state=state))
