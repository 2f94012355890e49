"""Collects the facts about connections, queues and ledger that `readiness` judges."""

from __future__ import annotations

from dataclasses import dataclass

from coordinator.broker.connection import Connection
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.projector import Projector
from coordinator.submission.admission_control import AdmissionControl

from . import readiness
from .broker_connections import BrokerConnections
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
    admission: AdmissionControl

    def hindered(self) -> bool:
        """Whether it is known why no task can be submitted."""
        both = self.connections.reading, self.connections.publishing
        return readiness.submission_hindered(_state(one) for one in both)

    def problems(self) -> list[str]:
        """What keeps the service from its work now, a sentence each."""
        others = self.ledger.problem or self.projector.problem, self.admission.problem
        told = [one for one in others if one is not None]
        return self.obstacles() + self.connections.reading.heads.problems() + told

    def obstacles(self) -> list[str]:
        """What keeps tasks from being submitted now, a sentence each."""
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
