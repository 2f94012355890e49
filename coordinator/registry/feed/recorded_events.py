"""Reads recorded events after a position of the ledger, each with the facts of its task.

An event is read as the text that the ledger has: most are never looked into, since nobody asked for them.
Of a large one only what may be told is kept, so that a page has a bound in bytes, too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.protocol.messages.cloudevents import attributes
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.event_rows import ends_of_events, last_position
from coordinator.registry.tables.schema import events as table
from coordinator.registry.tables.schema import from_micros, tasks
from coordinator.registry.tables.task_rows import labels_in
from coordinator.registry.tables.unreadable_rows import NOT_READ, readable, tell

from .event_details import public_details

__all__ = [
    "KEPT_AS_TEXT",
    "NOUNS",
    "RecordedEvent",
    "RecordedEvents",
    "RecordedPage",
    "recorded_event",
]

NOUNS = ("task.", "agent.")
"""How the types of the events begin that are told; others are of queues and of the service."""

KEPT_AS_TEXT = 16 * 1024
"""Characters of an event's data; of larger ones the details alone are kept."""

LOOKED_AT = 50_000


class RecordedEvent(NamedTuple):
    """Carries an event of a task or an agent, with its position and what its task is like.

    A tuple, since one is made for each event while somebody subscribes.
    """

    position: int
    event_id: str
    type: str
    subject: str
    """The id of the task, or of the agent."""
    author: str | None
    """The id of the agent that states it; None where a coordinator or the broker does."""
    time: datetime
    data: str
    """As the ledger has it, in JSON."""
    cut: bool = False
    """Whether ``data`` has the event's own ids and details alone."""
    state: str | None = None
    """Of the task after this event; None for an event of an agent, or one of before that was known."""
    priority: str | None = None
    """Of the task, where its content is known; so are the next."""
    submitted_by: str | None = None
    group: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def is_of_task(self) -> bool:
        """Whether it is about a task, and not about an agent."""
        return self.type.startswith("task.")

    @property
    def agent_id(self) -> str | None:
        """The agent that it is about, or that states it."""
        return self.author if self.is_of_task else self.subject

    def cloudevent(self) -> dict[str, Any] | None:
        """What is told of it as CloudEvents 1.0 has it in JSON; None, and that logged once, where it cannot
        be read.
        """
        told = self.told()
        if told is None:
            return None
        envelope = attributes(
            event_id=self.event_id,
            event_type=self.type,
            author=self.author,
            subject=self.subject,
            time=self.time.isoformat(),
        )
        return envelope | {"datacontenttype": "application/json", "data": told}

    def told(self) -> dict[str, Any] | None:
        """What everybody may be told of it; None, and that logged once, where it cannot be read."""
        try:
            data = from_json(self.data)
            told = {name: data[name] for name in _IDS if name in data}
            if self.state is not None:
                told["state"] = self.state
            if self.priority is not None:
                told["priority"] = self.priority
            if self.group is not None:
                told["group"] = self.group
            if self.tags:
                told["tags"] = self.tags
            told |= data["details"] if self.cut else public_details(data)
        except NOT_READ as exc:
            tell(table, self, exc)
            return None
        return told


_IDS = ("task_id", "generation", "attempt", "agent_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedPage:
    """Holds the events after one position that were there at one moment, up to another position."""

    events: Sequence[RecordedEvent]
    reached: int
    """The position up to which this is all that there is; the next page begins after it."""
    end: int
    """The position of the last event of all."""
    forgotten_to: int
    """The largest position of an event that was deleted with its task. Where a page begins before it, some
    events are missing."""


class RecordedEvents:
    """Reads the ledger, in one transaction each time. All methods raise `LedgerUnavailable`.

    ``looked_at``: positions that one page goes over at most where it has some types alone.
    """

    def __init__(self, ledger: Ledger, *, looked_at: int = LOOKED_AT) -> None:
        self._ledger = ledger
        self._looked_at = looked_at

    async def after(
        self,
        position: int,
        *,
        limit: int,
        task_ids: Collection[str] = (),
        types: Collection[str] = (),
    ) -> RecordedPage:
        """The ``limit`` first events of tasks and agents after ``position``; of these tasks or types alone,
        where any are named.
        """
        page = partial(
            _page,
            position=position,
            limit=limit,
            task_ids=sorted(task_ids),
            types=sorted(types),
            looked_at=self._looked_at,
        )
        return await self._ledger.read(page)

    async def end(self) -> RecordedPage:
        """Where the ledger ends, as a page without events."""
        return await self._ledger.read(_end)

    async def state_of(self, task_id: str) -> tuple[str | None, int]:
        """The state of a task, None where it is not known, and the position of the last event then."""
        return await self._ledger.read(partial(_state_of, task_id=task_id))


def recorded_event(connection: Connection, wanted: sa.ColumnElement[bool]) -> RecordedEvent | None:
    """The first event of the table `events` that is as ``wanted``; None where there is none. Raises one of
    `unreadable_rows.NOT_READ`.
    """
    row = connection.execute(_EVENTS.where(wanted).order_by(table.c.position).limit(1)).first()
    return None if row is None else _event(connection, row)


def _end(connection: Connection) -> RecordedPage:
    end, forgotten_to = ends_of_events(connection)
    return RecordedPage(events=(), reached=end, end=end, forgotten_to=forgotten_to)


def _state_of(connection: Connection, task_id: str) -> tuple[str | None, int]:
    query = sa.select(tasks.c.state).where(tasks.c.task_id == task_id)
    return connection.execute(query).scalar(), last_position(connection)


def _page(
    connection: Connection,
    *,
    position: int,
    limit: int,
    task_ids: list[str],
    types: list[str],
    looked_at: int,
) -> RecordedPage:
    end, forgotten_to = ends_of_events(connection)
    query, last = _PAGE, end
    if task_ids:  # by an index
        query = query.where(table.c.subject.in_(task_ids), table.c.type.like("task.%"))
    elif types:
        last = min(end, position + looked_at)
        query = query.where(table.c.type.in_(types), table.c.position <= last)
    rows = connection.execute(query, {"after": position, "most": limit}).all()
    return RecordedPage(
        events=list(_events(connection, rows)),
        reached=rows[-1].position if len(rows) == limit else max(position, last),
        end=end,
        forgotten_to=forgotten_to,
    )


_EVENTS: sa.Select[Any] = (
    sa.select(
        *(table.c.position, table.c.id, table.c.agent_id, table.c.type, table.c.subject),
        *(table.c.time, table.c.state, tasks.c.priority, tasks.c.submitted_by),
        *(tasks.c.group_id, tasks.c.labels),
        sa.case((sa.func.length(table.c.data) <= KEPT_AS_TEXT, table.c.data)).label("data"),
    )
    .select_from(
        table.outerjoin(
            tasks, (tasks.c.task_id == table.c.subject) & table.c.type.like("task.%")
        )  # an agent may have the same id
    )
    .where(table.c.type.like("task.%") | table.c.type.like("agent.%"))
)

_PAGE = (
    _EVENTS.where(table.c.position > sa.bindparam("after"))
    .order_by(table.c.position)
    .limit(sa.bindparam("most"))
)
"""Made once: what it costs to make it is more than what it costs to run it."""


def _events(connection: Connection, rows: Sequence[Any]) -> Iterator[RecordedEvent]:
    return readable(rows, partial(_event, connection), table)


def _event(connection: Connection, row: Row[Any]) -> RecordedEvent:
    # At once, since asking a row for its columns by name takes longer than all else.
    columns: tuple[Any, ...] = row
    position, event_id, author, kind, subject, time, state, *of_task, text = columns
    priority, submitted_by, group, labels = of_task
    return RecordedEvent(
        position=position,
        event_id=event_id,
        type=kind,
        subject=subject,
        author=author or None,
        time=from_micros(time),
        data=text if text is not None else _cut(connection, position),
        cut=text is None,
        state=state,
        priority=priority,
        submitted_by=submitted_by,
        group=group,
        tags=labels_in(labels)[0] if labels else (),
    )


def _cut(connection: Connection, position: int) -> str:
    """Read by itself, so that one event of this size is in memory at a time."""
    query = sa.select(table.c.data).where(table.c.position == position)
    data = from_json(connection.execute(query).scalar_one())
    ids = {name: data[name] for name in _IDS if name in data}
    return to_json(ids | {"details": public_details(data)}).decode()
