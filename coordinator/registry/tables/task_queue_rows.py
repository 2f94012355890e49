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
from .schema import micros
from .schema import sources as table
from .unreadable_rows import readable

__all__ = ["fold_task_queues", "open_task_queues", "opened_task_queue"]


def opened_task_queue(data: SourceOpened) -> tuple[TaskQueue, Requirements]:
    """The queue, with what it asks of an agent. Raises `MalformedMessage` where that is not what
    its lane stands for: its tasks would go to agents that must not do them.
    """
    wanted = Requirements.from_dict(data.requirements)
    if not lane_serves(data.lane, wanted):
        raise MalformedMessage(
            f"{data.TYPE}: the lane {data.lane!r} is not that of its requirements"
        )
    return TaskQueue(data.lane, data.priority), wanted


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


def _source_of(row: Row[Any]) -> tuple[TaskQueue, Requirements]:
    requirements = from_json(row.requirements)
    return TaskQueue(row.lane, Priority(row.priority)), Requirements.from_dict(requirements)
