"""Opens the two connections to the broker: one only publishes, one does all the rest.

The broker blocks who publishes while it is short of memory or disk, and must not block who reads.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from coordinator.broker.connection import Connection
from coordinator.broker.queue_depths import QueueDepths

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


@contextlib.asynccontextmanager
async def broker_connections(
    url: str, *, process: str, connect: ConnectionFactory
) -> AsyncIterator[BrokerConnections]:
    """Open both, named after ``process``; a broker that is away is tried again in the background."""
    async with (
        connect(url, name=f"coordinator {process} publish") as publishing,
        connect(url, name=f"coordinator {process} read") as reading,
    ):
        yield BrokerConnections(
            publishing=publishing,
            reading=reading,
            depths=QueueDepths(lambda: reading.link),
            admission_depths=QueueDepths(lambda: reading.link),
        )
