"""Declares the facts that the checks judge. None always means "could not be learned"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from coordinator.agent_users.agent_users import AgentUser
from coordinator.protocol.topology import BindingSpec
from coordinator.registry.ledger.inspection_results import LedgerFacts

from .broker_location import BrokerLocation

__all__ = [
    "NO_ANSWER",
    "BrokerFacts",
    "Facts",
    "FeatureFlag",
    "ListedQueue",
    "ManagementFacts",
    "NodeFacts",
    "ObjectState",
    "ObjectVerdict",
    "Permissions",
    "Policy",
]


NO_ANSWER = "it does not answer"
"""Why there are no facts of a broker that takes connections, and then hangs."""


class ObjectVerdict(StrEnum):
    """Compares a queue or an exchange with what `protocol.topology` says of it."""

    RIGHT = "right"
    MISSING = "missing"
    DIFFERENT = "different"
    REFUSED = "refused"  #: this user may not ask
    SILENT = "silent"  #: the node answers for it, its leader does not


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectState:
    """Tells the state of one queue or exchange that should exist, as AMQP has it."""

    name: str
    verdict: ObjectVerdict
    told: str = ""
    """The broker's own words where it is different or refused."""
    ready: int = 0
    consumers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFacts:
    """Holds what AMQP alone tells of a broker."""

    version: str
    exchanges: tuple[ObjectState, ...]
    queues: tuple[ObjectState, ...]
    """Those that must always exist."""
    sources: tuple[ObjectState, ...]
    """The queues of tasks that the ledger knows."""
    claim: ObjectState | None = None
    """The exchange that names the ledger of the broker, compared with the one that is looked at."""

    @property
    def structure(self) -> tuple[ObjectState, ...]:
        """What must always exist: exchanges and queues."""
        return (*self.exchanges, *self.queues)

    @property
    def is_fresh(self) -> bool:
        """No coordinator has been connected to it yet."""
        return all(one.verdict is ObjectVerdict.MISSING for one in self.structure)

    def queue(self, name: str) -> ObjectState | None:
        """One of those that must always exist; None where it is none of them."""
        return next((one for one in self.queues if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """Holds the state of a node of the cluster. One that has just started tells no sizes yet."""

    name: str
    running: bool = True
    memory_used: int | None = None
    memory_limit: int | None = None
    memory_alarm: bool = False
    disk_free: int | None = None
    disk_limit: int | None = None
    disk_alarm: bool = False
    descriptors_used: int | None = None
    descriptors_total: int | None = None
    partitions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureFlag:
    """Tells whether a feature flag of RabbitMQ is enabled."""

    name: str
    enabled: bool
    experimental: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Holds a policy of RabbitMQ, or an operator policy."""

    name: str
    pattern: str
    definition: Mapping[str, Any]
    apply_to: str = "all"
    priority: int = 0
    operator: bool = False
    """An operator policy, which is merged into the one that applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permissions:
    """Holds what the user of AMQP may do in its virtual host, as regular expressions; by default nothing."""

    configure: str = "^$"
    write: str = "^$"
    read: str = "^$"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedQueue:
    """Holds a queue as the management API lists it, some seconds behind."""

    name: str
    ready: int = 0
    unsettled: int = 0
    """Messages in the hands of consumers."""
    members: tuple[str, ...] = ()
    online: tuple[str, ...] = ()
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagementFacts:
    """Holds what the management API tells; a part is None where this user may not read it."""

    url: str
    nodes: tuple[NodeFacts, ...] | None = None
    flags: tuple[FeatureFlag, ...] | None = None
    policies: tuple[Policy, ...] | None = None
    queues: tuple[ListedQueue, ...] | None = None
    bindings: frozenset[BindingSpec] | None = None
    has_vhost: bool | None = None
    """Whether the virtual host exists; told to administrators alone, as its permissions are."""
    permissions: Permissions | None = None
    agent_users: tuple[AgentUser, ...] | None = None
    """The users of agents, with what they may do here; told to administrators alone."""
    powers: Mapping[str, tuple[str, ...]] | None = None
    """Each user of the broker with those of its tags that RabbitMQ knows; told to administrators alone."""
    is_administrator: bool | None = None
    """Whether the user of AMQP administers the broker."""

    @property
    def withheld(self) -> tuple[str, ...]:
        """The parts that this user may not read, by name."""
        parts = ("nodes", "flags", "policies", "queues", "bindings")
        return tuple(part for part in parts if getattr(self, part) is None)

    def queue(self, name: str) -> ListedQueue | None:
        """The queue of that name; None where it is not listed."""
        return next((one for one in self.queues or () if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Holds all facts: of broker and management API, or one sentence each that says why there are none."""

    at: datetime
    address: BrokerLocation
    broker: BrokerFacts | str
    management: ManagementFacts | str
    ledger: LedgerFacts
    default_timeout: timedelta
    """Of a task that names none."""
    longest_timeout: timedelta
    """That a task may name."""
    require_identity: bool = False
    """Whether what agents say has to come from their own users."""

    @property
    def version(self) -> tuple[int, ...] | None:
        """The broker's, as numbers; () where it cannot be read as such."""
        if isinstance(self.broker, str):
            return None
        parts = self.broker.version.split(".")[:3]
        return tuple(int(part) for part in parts) if all(map(str.isdigit, parts)) else ()
