"""Describes what streams tell: events, partial output, gaps, and the end of a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from .tasks import Task

__all__ = [
    "EventsMissing",
    "OutputChunks",
    "OutputEnded",
    "OutputMissing",
    "OutputStarted",
    "StreamReset",
    "StreamedEvent",
    "TaskEnded",
    "TaskStreamItem",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamedEvent:
    """Is an event of the ledger."""

    position: int
    """Its place in the ledger, to go on after."""
    type: str
    """Such as `task.completed`."""
    subject: str | None = None
    """The id of the task or of the agent."""
    time: datetime | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the event says; of a task also its `state` after it, and its `priority`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsMissing:
    """Events after a position were deleted with their tasks: what is kept follows."""

    after: int
    until: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReset:
    """The ledger has not reached the position that was asked for: another ledger, or a backup put back."""

    until: int
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStarted:
    """Says that what follows is of this attempt, and its chunks are numbered from 1."""

    task_id: str = ""
    generation: int = 1
    attempt: int = 1
    agent_id: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputChunks:
    """Are pieces of a result, in their order: texts or any JSON."""

    task_id: str = ""
    generation: int = 1
    attempt: int = 1
    agent_id: str = ""
    run: str = ""
    first: int
    """The number of the first of them."""
    chunks: Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMissing:
    """Chunks that are not known any more."""

    task_id: str = ""
    generation: int = 1
    attempt: int = 1
    agent_id: str = ""
    run: str = ""
    first: int
    last: int | None = None
    """None where it is not known whether any is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputEnded:
    """The attempt tells nothing more."""

    task_id: str = ""
    generation: int = 1
    attempt: int = 1
    agent_id: str = ""
    run: str = ""
    last: int = 0
    """The number of the last chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnded:
    """Is the last item of a task's stream."""

    task: Task
    detail: str = ""


TaskStreamItem: TypeAlias = (
    StreamedEvent
    | EventsMissing
    | StreamReset
    | OutputStarted
    | OutputChunks
    | OutputMissing
    | OutputEnded
    | TaskEnded
)
