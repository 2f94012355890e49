"""Holds the parts that a test or an embedding program replaces, and the interceptors that it adds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Protocol

from coordinator.api.ports.query_ports import Examines
from coordinator.broker.connection import Connection
from coordinator.broker.intercepted_publisher import MessageStamp, PublishInterceptor
from coordinator.callbacks.checked_connections import Resolves
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.protocol.trace_context import TraceContext
from coordinator.recovery.queues.queue_retirement import PAUSE
from coordinator.registry.agents.control_queue_probe import ASK_AGAIN_AFTER
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.fold_interceptors import FoldInterceptor
from coordinator.streaming.feed_pace import USUAL, FeedPace

__all__ = ["NONE", "ConnectionFactory", "Duty", "Replacements", "Timings"]


class Duty(Enum):
    """Names the part of the service that one process runs. Every process hears the agents."""

    ALL = "all"  #: everything
    SERVING = "serving"  #: answers requests and submits; leaves the log to another process
    PROJECTING = "projecting"  #: folds the log; runs outbox, schedules, retention and recovery


class ConnectionFactory(Protocol):
    """Makes a `Connection` that is not open yet; called twice for each service."""

    def __call__(self, url: str, *, name: str) -> Connection:
        """``name`` is for the management UI; it ends in `publish` or `read`. Raises `OperatorError`
        where the address is not valid.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Pauses that no setting names; a test that waits for what comes after one makes it short."""

    retirement_pause: float = PAUSE
    """Seconds between the event that a queue retires and its deletion."""
    probed_again_after: timedelta = ASK_AGAIN_AFTER
    """Between two questions to the broker whether an agent has a control queue."""
    callbacks: RetryBackoff | None = None
    """Between two tries of a callback; None is as usual."""
    feed: FeedPace = USUAL
    """How often subscribers of events are given what is new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """Replaces parts of the object graph; each default is the part that the service has in production."""

    now: Callable[[], datetime] | None = None
    """The instant of this moment, aware, called from any thread. Default: the clock of the database."""
    connect: ConnectionFactory = Connection
    """Makes each of the two connections to the broker; `running` opens and closes them."""
    ledger: Ledger | None = None
    """An open ledger, which the caller closes after the service. Default: the one of the settings."""
    timings: Timings = Timings()
    publish_interceptors: Sequence[PublishInterceptor] = ()
    """See every message that the service publishes, in this order."""
    message_stamps: Sequence[MessageStamp] = ()
    """Written on every message that the service publishes, before those see it."""
    resolve: Resolves | None = None
    """Looks up the addresses of the hosts of callbacks. Default: as the system does."""
    begin_trace: Callable[[], TraceContext | None] = lambda: None
    """Called for each task that a schedule submits: the trace that it carries on."""
    examine: Examines | None = None
    """Examines the broker and the ledger for whoever asks the API. Default: nothing does."""
    fold_interceptors: Sequence[FoldInterceptor] = ()
    """See every batch that the service folds into the ledger, in this order, after its own."""


NONE = Replacements()
"""Replaces nothing."""
