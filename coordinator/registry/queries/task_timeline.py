"""Reads what happened to one task, event by event, in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection, Row

from coordinator.protocol.messages.events import (
    Event,
    TaskCompleted,
    TaskDeadLettered,
    TaskEvent,
    TaskFailed,
    TaskSubmitted,
)
from coordinator.registry.feed.event_details import TOLD_ELSEWHERE, TOLD_OF_MESSAGES
from coordinator.registry.tables.event_rows import event_of, identity, known
from coordinator.registry.tables.row_bytes import length_of, that_fit
from coordinator.registry.tables.schema import events as table
from coordinator.registry.tables.stored_result import without_result
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["TaskTimeline", "TimelineEntry", "timeline_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """Tells of one event of a task."""

    position: int | None
    """In the order of the log; None for one that is not folded yet."""
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
    about = (table.c.subject == task_id) & table.c.type.like(
        "task.%"
    )  # an agent may have the id, too
    lengths = (
        sa.select(table.c.position, length_of(table.c.data))
        .where(about, table.c.position > (after or 0))
        .order_by(table.c.position)
        .limit(limit + 1)
    )
    there = connection.execute(lengths).all()
    fit = that_fit(row.length for row in there[:limit])
    positions = [row.position for row in there[:fit]]
    query = (
        sa.select(table).where(about, table.c.position.in_(positions)).order_by(table.c.position)
    )
    told = list(readable(connection.execute(query), _folded, table))
    if len(there) > fit:
        return TaskTimeline(events=told, following=positions[-1])
    folded = known(connection, pending)
    told += [
        _entry(None, event, event.data)
        for event in pending
        if isinstance(event.data, TaskEvent) and identity(event) not in folded
    ]
    return TaskTimeline(events=told, following=None)


def _folded(row: Row[Any]) -> TimelineEntry:
    text, result_bytes = without_result(row.data)
    event = event_of(row, text)
    if not isinstance(event.data, TaskEvent):
        raise TypeError(f"{row.type} is no event of a task")
    entry = _entry(row.position, event, event.data)
    if result_bytes is not None:
        entry.details["result_bytes"] = result_bytes
    return entry


def _entry(position: int | None, event: Event, data: TaskEvent) -> TimelineEntry:
    return TimelineEntry(
        position=position,
        event_id=event.id,
        type=data.TYPE,
        time=event.time,
        generation=data.generation,
        attempt=data.attempt,
        agent_id=data.author,
        details=_details(data),
    )


def _details(data: TaskEvent) -> dict[str, Any]:
    details = data.model_dump(mode="json", exclude=set(TOLD_ELSEWHERE), exclude_none=True)
    if isinstance(data, TaskSubmitted | TaskDeadLettered):
        task = data.task.model_dump(mode="json", include=set(TOLD_OF_MESSAGES), exclude_none=True)
        return details | task
    if isinstance(data, TaskCompleted):
        return details | {"result_bytes": len(to_json(data.result))}
    if isinstance(data, TaskFailed):
        details["error"] = data.error.model_dump(mode="json", exclude_none=True)
    return details
