"""Collects the facts about connections, queues and ledger that `readiness` judges."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from coordinator.broker.connection import Connection
from coordinator.registry.agents.refused_users import RefusedUsers
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.interceptors.parked_floods import ParkedFloods
from coordinator.registry.projection.log_folding_watch import LogFoldingWatch
from coordinator.registry.projection.projector import Projector
from coordinator.registry.upkeep.refused_events import RefusedEvents
from coordinator.submission.admission_control import AdmissionControl

from . import readiness
from .broker_connections import BrokerConnections
from .callbacks.callback_stage import Callbacks
from .publishers import Publishers
from .readiness import ConnectionState

__all__ = ["HealthReport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """Tells how the service is at the moment of each call."""

    connections: BrokerConnections
    publishers: Publishers
    ledger: Ledger
    projector: Projector
    floods: ParkedFloods
    callbacks: Callbacks
    admission: AdmissionControl
    refused: RefusedEvents
    refused_users: RefusedUsers
    folding: LogFoldingWatch | None = None
    """Knows whether the log is folded, where another process does it."""
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the process is to stop: it answers on for a while."""

    def hindered(self) -> bool:
        """Whether it is known why no task can be submitted."""
        both = self.connections.reading, self.connections.publishing
        return readiness.submission_hindered(_state(one) for one in both)

    def problems(self) -> list[str]:
        """What keeps the service from its work now, a sentence each."""
        told = self.folding_problems()
        if self.admission.problem is not None:
            told.append(self.admission.problem)
        told += self.refused.problems() + self.refused_users.problems()
        if self.folding is not None:
            told += [one for one in self.folding.problems() if one not in told]
        return self.obstacles() + told

    def folding_problems(self) -> list[str]:
        """What keeps this process from reading the log and using the ledger now, a sentence each."""
        why = self.ledger.problem or self.projector.problem
        hindered = self.connections.reading.heads.problems() + ([] if why is None else [why])
        return hindered + self.floods.problems() + self.callbacks.problems()

    def log_is_read(self) -> bool:
        """Whether the log is read by this process or, where another does it, by that one."""
        return self.folding is None or self.folding.is_read

    def obstacles(self) -> list[str]:
        """What keeps tasks from being submitted now, a sentence each. A process that is to stop still takes
        them, and whoever chooses is to choose another.
        """
        if self.leaving.is_set():
            return ["This process is about to stop: ask another, or ask again in a moment."]
        return readiness.obstacles(
            reading=_state(self.connections.reading),
            publishing=_state(self.connections.publishing),
            ready=self.publishers.ready(),
        )


def _state(connection: Connection) -> ConnectionState:
    return ConnectionState(
        linked=connection.link is not None,
        blocked=connection.blocked,
        last_error=connection.last_error,
        refused=connection.refused,
    )
