"""Reads the messages that tasks were submitted as, each kept in the event that its `submission` names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task import Task
from coordinator.protocol.messages.events import TaskSubmitted
from coordinator.protocol.messages.task_message import TaskMessage

from .event_rows import chunks
from .schema import events
from .unreadable_rows import readable

__all__ = ["contents", "times_republished"]


def contents(connection: Connection, tasks: Iterable[Task]) -> dict[str, TaskMessage]:
    """The message that the content of each of ``tasks`` is from, by task; of those that can be read."""
    found: dict[str, TaskMessage] = {}
    columns = (events.c.position, events.c.data)
    for ids in chunks({task.submission for task in tasks if task.submission is not None}):
        query = sa.select(*columns).where(events.c.id.in_(ids), events.c.agent_id == "")
        for message in readable(connection.execute(query).all(), _message_of, events):
            found[message.task_id] = message
    return found


def _message_of(row: Row[Any]) -> TaskMessage:
    return TaskMessage.model_validate(from_json(row.data)["task"])


def times_republished(connection: Connection, task_ids: Iterable[str]) -> dict[str, int]:
    """How many messages told of each task that it was put on its queue again, where there are some."""
    found: dict[str, int] = {}
    for ids in chunks(task_ids):
        query = (
            sa.select(events.c.subject, sa.func.count().label("times"))
            .where(
                events.c.subject.in_(ids),
                events.c.type == TaskSubmitted.TYPE,
                events.c.id.like("%.again-%"),
            )
            .group_by(events.c.subject)
        )
        found.update((row.subject, row.times) for row in connection.execute(query))
    return found
