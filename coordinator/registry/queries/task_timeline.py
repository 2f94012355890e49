"""Reads what happened to one task, event by event, in the order of the log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection

from coordinator.protocol.messages.events import (
    Event,
    TaskCompleted,
    TaskDeadLettered,
    TaskEvent,
    TaskFailed,
    TaskSubmitted,
)
from coordinator.registry.tables.event_rows import event_of, identity, known
from coordinator.registry.tables.schema import events as table
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["TaskTimeline", "TimelineEntry", "timeline_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """Tells of one event of a task."""

    event_id: str
    type: str
    time: datetime
    """By its author's clock: the order is that of the log, which may be another."""
    generation: int
    attempt: int
    agent_id: str | None
    """None where a coordinator or the broker tells."""
    details: dict[str, Any]
    """What this type of event says beyond that; of a result, its size alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTimeline:
    """Holds some entries, and after which position in the log there are more."""

    events: list[TimelineEntry]
    following: int | None


def timeline_of(
    connection: Connection,
    task_id: str,
    *,
    after: int | None,
    limit: int,
    pending: Sequence[Event] = (),
) -> TaskTimeline:
    """The ``limit`` first entries after the position ``after``. ``pending`` are events of this task that
    will be folded; they come last.
    """
    query = (
        sa.select(table)
        .where(
            table.c.subject == task_id,
            table.c.position > (after or 0),
            table.c.type.like("task.%"),  # an agent may have the same id
        )
        .order_by(table.c.position)
        .limit(limit + 1)
    )
    rows = connection.execute(query).all()
    told = list(_entries(readable(rows[:limit], event_of, table)))
    if len(rows) > limit:
        return TaskTimeline(events=told, following=rows[limit - 1].position)
    folded = known(connection, pending)
    told += _entries(event for event in pending if identity(event) not in folded)
    return TaskTimeline(events=told, following=None)


def _entries(events: Iterable[Event]) -> Iterator[TimelineEntry]:
    for event in events:
        data = event.data
        if isinstance(data, TaskEvent):
            yield TimelineEntry(
                event_id=event.id,
                type=data.TYPE,
                time=event.time,
                generation=data.generation,
                attempt=data.attempt,
                agent_id=data.author,
                details=_details(data),
            )


_ELSEWHERE = {"task_id", "generation", "attempt", "agent_id", "task", "task_token", "result"}


def _details(data: TaskEvent) -> dict[str, Any]:
    details = data.model_dump(mode="json", exclude=_ELSEWHERE, exclude_none=True)
    if isinstance(data, TaskSubmitted | TaskDeadLettered):
        task = data.task.model_dump(mode="json", include=_OF_MESSAGES, exclude_none=True)
        return details | task
    if isinstance(data, TaskCompleted):
        return details | {"result_bytes": len(to_json(data.result))}
    if isinstance(data, TaskFailed):
        details["error"] = data.error.model_dump(mode="json", exclude_none=True)
    return details


_OF_MESSAGES = {
    "priority",
    "max_attempts",
    "timeout_seconds",
    "not_before",
    "expires_at",
    "republished",
    "submitted_by",
    "redriven_by",
}
