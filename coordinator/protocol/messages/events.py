"""Collects all events by their type on the wire: facts in the past tense, each a pydantic model."""

from __future__ import annotations

from .agent_events import (
    OVER_HTTP,
    AgentEvent,
    AgentHeartbeat,
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    HeldTask,
    RunningTask,
)
from .event import Event, EventData
from .queue_and_ledger_events import (
    LedgerCaughtUp,
    LedgerEnded,
    LedgerHindered,
    LedgerMarked,
    LiveMarked,
    SourceOpened,
    SourceRetired,
)
from .task_events import (
    CRASH_LOOP,
    AgentsTaskEvent,
    AttemptError,
    DeadLetterReason,
    TaskCancelled,
    TaskCompleted,
    TaskDeadLettered,
    TaskDeclined,
    TaskEvent,
    TaskExpired,
    TaskFailed,
    TaskLost,
    TaskProgressed,
    TaskStarted,
    TaskSubmitted,
    TaskTooLarge,
)

__all__ = [
    "CRASH_LOOP",
    "EVENT_TYPES",
    "OVER_HTTP",
    "AgentEvent",
    "AgentHeartbeat",
    "AgentRegistered",
    "AgentRemoved",
    "AgentStatusChanged",
    "AgentStopped",
    "AgentsTaskEvent",
    "AttemptError",
    "DeadLetterReason",
    "Event",
    "EventData",
    "HeldTask",
    "LedgerCaughtUp",
    "LedgerEnded",
    "LedgerHindered",
    "LedgerMarked",
    "LiveMarked",
    "RunningTask",
    "SourceOpened",
    "SourceRetired",
    "TaskCancelled",
    "TaskCompleted",
    "TaskDeadLettered",
    "TaskDeclined",
    "TaskEvent",
    "TaskExpired",
    "TaskFailed",
    "TaskLost",
    "TaskProgressed",
    "TaskStarted",
    "TaskSubmitted",
    "TaskTooLarge",
]

EVENT_TYPES: dict[str, type[EventData]] = {
    model.TYPE: model
    for model in (
        TaskStarted,
        TaskDeclined,
        TaskProgressed,
        TaskCompleted,
        TaskFailed,
        TaskCancelled,
        TaskExpired,
        TaskLost,
        TaskTooLarge,
        AgentRegistered,
        AgentHeartbeat,
        AgentStatusChanged,
        AgentStopped,
        AgentRemoved,
        SourceOpened,
        SourceRetired,
        LedgerMarked,
        LedgerCaughtUp,
        LedgerEnded,
        LedgerHindered,
        LiveMarked,
    )
}
"""What may be published as an event, by its type."""
