"""Holds the objects that the endpoints call, and hands them to an endpoint as its parameter `wired`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from coordinator.access.audit_log import AuditLog
from coordinator.access.authenticator import Authenticator
from coordinator.access.caller_quotas import CallerQuotas
from coordinator.access.request_rates import RequestRates
from coordinator.registry.queries.queue_sizes import QueueSizes
from coordinator.streaming.event_feed import EventFeed
from coordinator.streaming.subscriber_counts import SubscriberCounts
from coordinator.streaming.task_stream import TaskItems
from coordinator.submission.request_limits import RequestLimits

from .json_answer import NotesError
from .ports.command_ports import (
    AnswersQuestions,
    CancelsGroups,
    CancelsTasks,
    ClearsQueues,
    CommandsAgents,
    DeletesTasks,
    KeepsSchedules,
    RedrivesTasks,
    RetiresLanes,
    SubmitsBatches,
    SubmitsOnce,
    SubmitsTasks,
)
from .ports.query_ports import (
    Examines,
    ExplainsWaiting,
    KeepsCallbacks,
    KnowsGroups,
    ListsDeadTasks,
    LooksUpRecords,
    ReadsPages,
    ReadsQueueStatistics,
)

__all__ = ["EndpointServices", "Wired"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointServices:
    """Holds all that the endpoints call; bootstrap makes it."""

    submitter: SubmitsTasks
    batches: SubmitsBatches
    once: SubmitsOnce
    clearer: ClearsQueues
    lanes: RetiresLanes
    canceller: CancelsTasks
    group_canceller: CancelsGroups
    groups: KnowsGroups
    answerer: AnswersQuestions
    redriver: RedrivesTasks
    dead_tasks: ListsDeadTasks
    deletion: DeletesTasks
    registry: LooksUpRecords
    registrar: CommandsAgents
    explainer: ExplainsWaiting
    schedules: KeepsSchedules
    callbacks: KeepsCallbacks
    browsing: ReadsPages
    queue_sizes: QueueSizes
    queue_lines: ReadsQueueStatistics
    feed: EventFeed
    version: str
    task_items: Sequence[TaskItems] = ()
    """What is streamed of a task beside its events."""
    subscribers: SubscriberCounts = field(default_factory=SubscriberCounts)
    problems: Callable[[], Sequence[str]] = tuple
    """What keeps the service from its work at this moment, one sentence each; empty when well."""
    obstacles: Callable[[], Sequence[str]] = tuple
    """Those of the problems that keep tasks from being submitted."""
    examine: Examines | None = None
    """Examines the broker and the ledger; None where nothing does."""
    scrape: Callable[[str], Awaitable[tuple[bytes, str]]] | None = None
    """The metrics and their media type, for an `Accept` header; None where this API does not tell them."""
    note_error: NotesError | None = None
    """Counts answers that are errors; None where nothing is counted."""
    limits: RequestLimits = field(default_factory=RequestLimits)
    """Of the names and the data in a request."""
    metadata_keys: frozenset[str] = frozenset()
    """Keys of the tasks' metadata by whose values they can be filtered."""
    max_body_bytes: int = 1024 * 1024
    """Of every request but a batch."""
    max_batch_bytes: int = 16 * 1024 * 1024
    authenticator: Authenticator | None = None
    """Finds who calls; None where nobody is asked."""
    audit: AuditLog | None = None
    """None where no log is kept of who did what."""
    rates: RequestRates | None = None
    """Limits the requests of each caller; None where they have no limit."""
    quotas: CallerQuotas = field(default_factory=CallerQuotas)


async def _wired(request: Request) -> EndpointServices:
    return cast("EndpointServices", request.app.state.services)


Wired = Annotated[EndpointServices, Depends(_wired)]
"""The type of an endpoint's parameter that is given the services."""
