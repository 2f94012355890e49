"""Calls the HTTP API of a coordinator from Python, blocking or in an event loop.

    with Client() as client:                              async with AsyncClient() as client:
        handle = client.submit({"task_type": "keywords"})     handle = await client.submit({…})
        print(handle.result(timeout=60))                      print(await handle.result(timeout=60))

What is asked, what an answer means, and when something is tried again is written once, as programs without
I/O; two thin drivers run them. Each line imports from the lines below it alone:

client, async_client ........ what users have: the calls of the API, and what takes several
task_handle, async_handle ... a task that was submitted
several_tasks ............... sorts what came of many, for both
bound_calls ................. makes methods of both clients of one call
drivers ..................... run programs over httpx
calls ....................... what can be asked, and programs of several requests
exchange .................... requests, answers, retries, streams: without I/O
errors ...................... the tree of errors
models ...................... what is answered, as dataclasses

It needs httpx (the extra `client`) and imports nothing else of the service. Never happens: the key is sent
to another host, shown, or logged; something that may have been done is done twice; a wait goes on past its
timeout.
"""

from __future__ import annotations

from coordinator.missing_extra import missing_extra

try:
    from .async_client import AsyncClient
except ModuleNotFoundError as exc:
    raise ModuleNotFoundError(missing_extra("The client", "client", exc), name=exc.name) from exc
from .async_handle import AsyncTaskHandle
from .client import Client
from .drivers.client_options import Tls
from .errors import (
    AnswerLost,
    ApiError,
    ClientError,
    Conflict,
    InvalidRequest,
    Misconfigured,
    NotACoordinator,
    NotAllAccepted,
    NotAuthenticated,
    NotFound,
    NotReached,
    NotSent,
    OutcomeUnknown,
    PayloadTooLarge,
    RoleMissing,
    ServerError,
    TaskCancelled,
    TaskDead,
    TaskExpired,
    TaskNotCompleted,
    TooManyRequests,
    Unavailable,
    Unsendable,
    WaitTimedOut,
)
from .exchange.retry_rule import ONCE, Retries
from .models.accepted_tasks import Accepted, Cancelled, Deleted, Retried
from .models.agents import Agent
from .models.callbacks import CallbackDelivery, CallbacksRedriven
from .models.dead_tasks import DeadTasks, Redriven
from .models.groups import Group, GroupCancelled, GroupWaited
from .models.pages import Page
from .models.queues import Queue, QueueStats, Statistics
from .models.schedules import Schedule
from .models.service_health import Caller, Finding, Findings, Health, ParkedMessage
from .models.stream_items import (
    EventsMissing,
    OutputChunks,
    OutputEnded,
    OutputMissing,
    OutputStarted,
    StreamedEvent,
    StreamReset,
    TaskEnded,
    TaskStreamItem,
)
from .models.tasks import (
    ENDED,
    ExplainedAgent,
    Explanation,
    NewTask,
    Task,
    TaskError,
    TaskSummary,
    TimelineEvent,
)
from .task_handle import TaskHandle

__all__ = [  # noqa: RUF022 - in groups
    # clients
    "AsyncClient",
    "AsyncTaskHandle",
    "Client",
    "TaskHandle",
    # how they call
    "ONCE",
    "Retries",
    "Tls",
    # tasks
    "ENDED",
    "Accepted",
    "Cancelled",
    "Deleted",
    "ExplainedAgent",
    "Explanation",
    "NewTask",
    "Page",
    "Retried",
    "Task",
    "TaskError",
    "TaskSummary",
    "TimelineEvent",
    # streams
    "EventsMissing",
    "OutputChunks",
    "OutputEnded",
    "OutputMissing",
    "OutputStarted",
    "StreamReset",
    "StreamedEvent",
    "TaskEnded",
    "TaskStreamItem",
    # the fleet and the service
    "Agent",
    "CallbackDelivery",
    "CallbacksRedriven",
    "Caller",
    "DeadTasks",
    "Finding",
    "Findings",
    "Group",
    "GroupCancelled",
    "GroupWaited",
    "Health",
    "ParkedMessage",
    "Queue",
    "QueueStats",
    "Redriven",
    "Schedule",
    "Statistics",
    # errors
    "AnswerLost",
    "ApiError",
    "ClientError",
    "Conflict",
    "InvalidRequest",
    "Misconfigured",
    "NotACoordinator",
    "NotAllAccepted",
    "NotAuthenticated",
    "NotFound",
    "NotReached",
    "NotSent",
    "OutcomeUnknown",
    "PayloadTooLarge",
    "RoleMissing",
    "ServerError",
    "TaskCancelled",
    "TaskDead",
    "TaskExpired",
    "TaskNotCompleted",
    "TooManyRequests",
    "Unavailable",
    "Unsendable",
    "WaitTimedOut",
]
