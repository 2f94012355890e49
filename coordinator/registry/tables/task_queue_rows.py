"""Keeps the open task queues in the table `sources`, each with its requirements."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.errors import MalformedMessage
from coordinator.protocol.lanes import lane_serves
from coordinator.protocol.messages.events import Event, SourceOpened, SourceRetired
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

from .bulk_statements import upsert
from .event_rows import chunks
from .schema import events, micros
from .schema import sources as table
from .unreadable_rows import readable

__all__ = [
    "fold_task_queues",
    "open_task_queues",
    "opened_task_queue",
    "openers_of_task_queues",
]


def opened_task_queue(data: SourceOpened) -> tuple[TaskQueue, Requirements, str | None]:
    """The queue, with what it asks of an agent, and whose task opened its lane. Raises `MalformedMessage`
    where what it asks is not what its lane stands for: its tasks would go to agents that must not do them.
    """
    wanted = Requirements.from_dict(data.requirements)
    if not lane_serves(data.lane, wanted):
        raise MalformedMessage(
            f"{data.TYPE}: the lane {data.lane!r} is not that of its requirements"
        )
    return TaskQueue(data.lane, data.priority), wanted, data.opened_by


def fold_task_queues(connection: Connection, events: Iterable[Event]) -> None:
    """Store what the events among these say that was opened, and forget what was retired."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    retired: set[tuple[str, str]] = set()
    for event in events:
        if isinstance(event.data, SourceOpened):
            lane, priority = event.data.lane, event.data.priority.value
            rows[lane, priority] = {
                "lane": lane,
                "priority": priority,
                "requirements": to_json(event.data.requirements).decode(),
                "opened_at": micros(event.time),
            }
            retired.discard((lane, priority))
        elif isinstance(event.data, SourceRetired):
            key = (event.data.lane, event.data.priority.value)
            rows.pop(key, None)
            retired.add(key)
    for lane, priority in retired:
        this = (table.c.lane == lane) & (table.c.priority == priority)
        connection.execute(table.delete().where(this))
    upsert(connection, table, ["lane", "priority"], list(rows.values()))


def open_task_queues(connection: Connection) -> list[tuple[TaskQueue, Requirements]]:
    """The open task queues that can be read, with what each asks of an agent."""
    rows = connection.execute(sa.select(table)).all()
    return list(readable(rows, _source_of, table))


def openers_of_task_queues(connection: Connection) -> dict[TaskQueue, str]:
    """Whose tasks opened the lanes of the open task queues, where that is known: as the last event says that
    opened each.
    """
    queues = {f"{one.lane}.{one.priority}": one for one, _ in open_task_queues(connection)}
    found: dict[TaskQueue, str] = {}
    for subjects in chunks(queues):
        query = (
            sa.select(events.c.subject, events.c.data)
            .where(
                events.c.subject.in_(subjects),
                events.c.type == SourceOpened.TYPE,
                events.c.agent_id == "",
            )
            .order_by(events.c.position)
        )
        for row in connection.execute(query):
            found.pop(queues[row.subject], None)
            opener = from_json(row.data).get("opened_by")
            if isinstance(opener, str):
                found[queues[row.subject]] = opener
    return found


def _source_of(row: Row[Any]) -> tuple[TaskQueue, Requirements]:
    requirements = from_json(row.requirements)
    return TaskQueue(row.lane, Priority(row.priority)), Requirements.from_dict(requirements)
