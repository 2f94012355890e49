"""Looks up the requirements of tasks: as their lane has them, and all tasks of a lane have the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import Event, TaskDeadLettered, TaskSubmitted
from coordinator.protocol.requirements import Requirements
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import tasks as table

__all__ = ["LaneRequirements"]


class LaneRequirements:
    """Reads each lane once, within one transaction."""

    def __init__(self, connection: Connection, pending: Iterable[Event]) -> None:
        """``pending`` are events that the ledger does not have yet."""
        self._connection = connection
        self._told = {
            event.id: event.data.task.wanted
            for event in pending
            if isinstance(event.data, TaskSubmitted | TaskDeadLettered)
        }
        self._lanes: dict[str, Requirements] = {}

    def of(self, task: Task) -> Requirements:
        """Of a task in the ledger, or one that a pending event brings."""
        if task.submission is not None and task.submission in self._told:
            return self._told[task.submission]
        return self.of_lane(task.lane or "")

    def of_lane(self, lane: str) -> Requirements:
        """Of a lane that has tasks in the ledger."""
        if lane not in self._lanes:
            found = self._of_source(lane)
            if found is None:
                found = self._of_messages(lane)
            self._lanes[lane] = Requirements.from_dict(found)
        return self._lanes[lane]

    def _of_source(self, lane: str) -> Any:
        sources = schema.sources.c
        query = sa.select(sources.requirements).where(sources.lane == lane).limit(1)
        return self._first(query)

    def _of_messages(self, lane: str) -> Any:
        """Of a lane that is retired, or whose opening is not folded yet."""
        events = schema.events.c
        task = sa.select(table.c.submission).where(table.c.lane == lane)
        task = task.order_by(table.c.submitted_at).limit(
            1
        )  # the order of the index: or it is not used
        query = sa.select(events.data).where(
            events.id == task.scalar_subquery(), events.agent_id == ""
        )
        content = (self._first(query) or {}).get("task")
        return content.get("requirements") if isinstance(content, dict) else None

    def _first(self, query: sa.Select[Any]) -> dict[str, Any] | None:
        """None where there is none, and where it cannot be read."""
        found = self._connection.execute(query).scalar()
        try:
            value = None if found is None else from_json(found)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None
