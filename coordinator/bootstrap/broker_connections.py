"""Opens the two connections to the broker: one only publishes, one does all the rest.

The broker blocks who publishes while it is short of memory or disk, and must not block who reads.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from coordinator.broker.connection import Connection
from coordinator.broker.queue_depths import QueueDepths
from coordinator.errors import OtherLedger
from coordinator.registry.ledger.broker_claim import BrokerClaim

from .replacements import ConnectionFactory

__all__ = ["BrokerConnections", "broker_connections"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerConnections:
    """The connections of one coordinator."""

    publishing: Connection
    reading: Connection

    depths: QueueDepths
    """Looks at queues for requests and recovery, over the connection that reads."""
    admission_depths: QueueDepths
    """The same for admission, whose looks wait for no other."""

    def belongs_elsewhere(self) -> str | None:
        """The sentence where the broker belongs to another ledger; None where it is not known to."""
        why = self.reading.last_error
        return str(why) if isinstance(why, OtherLedger) else None


@contextlib.asynccontextmanager
async def broker_connections(
    url: str, *, process: str, ledger_id: str, connect: ConnectionFactory
) -> AsyncIterator[BrokerConnections]:
    """Open both, named after ``process``; a broker that is away is tried again in the background, and so is
    one that belongs to another ledger than ``ledger_id``.
    """
    publishing = connect(url, name=f"coordinator {process} publish")
    reading = connect(url, name=f"coordinator {process} read")
    publishing.admit = reading.admit = BrokerClaim(ledger_id).state
    async with publishing, reading:
        yield BrokerConnections(
            publishing=publishing,
            reading=reading,
            depths=QueueDepths(lambda: reading.link),
            admission_depths=QueueDepths(lambda: reading.link),
        )
