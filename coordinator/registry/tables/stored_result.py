"""Reads the result of a completed task; a large one as the ledger has it, unread, so that nobody is held up.

Python's readers and writers of JSON let no other thread run until they are done, which takes a tenth of a
second and more for a result of many values. The event is stored as pydantic writes it: numbers and strings
first, then `result`, then at most a duration. In a string each `"` stands behind a backslash, so that the
key is found by its text alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.protocol.messages.events import TaskCompleted

from .schema import events as table

__all__ = ["LARGE", "JsonText", "result_of", "stored_result", "without_result"]

LARGE = 64 * 1024
"""Characters of an event, from which on it is not read."""

_BEFORE = '{"task_id":'
_KEY = ',"result":'
_DURATION = re.compile(r',"duration_seconds":[-+.0-9eE]{1,40}\}')


@dataclass(frozen=True, slots=True)
class JsonText:
    """Is JSON in UTF-8, as it is to be answered."""

    content: bytes


def stored_result(connection: Connection, event_id: str | None, agent_id: str) -> Any:
    """What the agent returned, by its event, or a `JsonText` of it. Raises `NoResultFound` where the ledger
    does not have the event, or one of `unreadable_rows.NOT_READ`.
    """
    query = sa.select(table.c.data).where(table.c.id == event_id, table.c.agent_id == agent_id)
    return result_of(connection.execute(query).scalar_one())


def result_of(data: str) -> Any:
    """As `stored_result`, of the data of an event."""
    place = _place(data)
    if place is None:
        return TaskCompleted.model_validate_json(data).result
    return JsonText(data[place].encode())


def without_result(data: str) -> tuple[str, int | None]:
    """The data of an event without its result, and the bytes of that as JSON; the data as they are, and
    None, where they are not large.
    """
    place = _place(data)
    if place is None:
        return data, None
    return f"{data[: place.start]}null{data[place.stop :]}", len(data[place].encode())


def _place(data: str) -> slice | None:
    """Where the result stands in the data of a large event; None where it is small, or written otherwise."""
    if len(data) < LARGE or not data.startswith(_BEFORE):
        return None
    key = data.find(_KEY)
    if key < 0:
        return None
    # A duration that is the result's own has more than one bracket behind it.
    last = data.rfind(',"duration_seconds":')
    ends = len(data) - 1
    if last > key and _DURATION.fullmatch(data, last):
        ends = last
    return slice(key + len(_KEY), ends)
