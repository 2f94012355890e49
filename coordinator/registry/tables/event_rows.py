"""Converts events to rows of the table `events` and back, and finds those that the ledger has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection, Row

from coordinator.protocol.messages.events import (
    EVENT_TYPES,
    Event,
    EventData,
    TaskDeadLettered,
    TaskSubmitted,
)

from .bulk_statements import find, insert, upsert
from .schema import events as table
from .schema import from_micros, meta, micros

__all__ = [
    "AppendedRows",
    "Identity",
    "add",
    "chunks",
    "data_of",
    "ends_of_events",
    "event_of",
    "forgotten_to",
    "identity",
    "is_copy",
    "known",
    "known_of",
    "last_position",
    "note_forgotten",
]

Identity = tuple[str, str]
"""An event's id and its author, which is empty for a coordinator or the broker."""

CHUNK = 500
"""Values in one IN clause: databases limit them."""

_STORED: dict[str, type[EventData]] = EVENT_TYPES | {
    model.TYPE: model for model in (TaskSubmitted, TaskDeadLettered)
}


def identity(event: Event) -> Identity:
    """What no two events share: the id alone is not enough, since agents choose theirs."""
    return event.id, event.data.author or ""


def known(connection: Connection, events: Iterable[Event]) -> set[Identity]:
    """The identities of those of ``events`` that the ledger has."""
    ids = {event.id for event in events}
    rows = find(connection, (table.c.id, table.c.agent_id), table.c.id, ids)
    return {(row.id, row.agent_id) for row in rows}


def known_of(connection: Connection, events: Iterable[Event]) -> dict[Identity, Event]:
    """The same with what the ledger has under each of them, for what agents said: coordinators say the
    same thing more than once, in other words, under one id.
    """
    found: dict[Identity, Event] = {}
    ids = {event.id for event in events if event.data.author is not None}
    columns = (table.c.id, table.c.agent_id, table.c.type, table.c.time, table.c.data)
    for row in find(connection, columns, table.c.id, ids):
        if row.agent_id:
            found[row.id, row.agent_id] = event_of(row)
    return found


def is_copy(event: Event, first: Event) -> bool:
    """Whether an event is what was said before under its id, delivered again. Times are not compared:
    they are kept by another clock.
    """
    return event.data == first.data


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendedRows:
    """Has the rows that one transaction has appended, which are all that there is between two positions."""

    after: int
    """The position of the last event before them, whether that is kept or not."""
    rows: Sequence[Mapping[str, Any]]
    """The columns by name, in the order of their positions; one at least."""

    @property
    def reached(self) -> int:
        """The position of the last of them."""
        position: int = self.rows[-1]["position"]
        return position


def add(
    connection: Connection, events: Sequence[Event], states: Mapping[Identity, str]
) -> AppendedRows | None:
    """Append ``events``, none of which may be there. ``states`` has that of the task after each event that is
    of one. Gives what was appended; None where there was nothing, and where the database has not told the
    positions, as PostgreSQL.

    Their positions are larger than all that were given before, in the order of ``events``. So they grow in
    the order in which transactions are committed, too: the projector's fence lets one of them write at a
    time, from before it asks for a position until it is committed. PostgreSQL counts by itself, and never
    back. SQLite would give the position of the last event again once that was deleted, so it is told.
    """
    if not events:
        return None
    rows = [_row_of(event, states) for event in events]
    if connection.dialect.name == "postgresql":
        insert(connection, table, rows)
        return None
    after = last_position(connection)
    for position, row in enumerate(rows, after + 1):
        row["position"] = position
    insert(connection, table, rows)
    return AppendedRows(after=after, rows=rows)


def last_position(connection: Connection) -> int:
    """The position of the last event that there is, or was until it was deleted; 0 before the first."""
    return ends_of_events(connection)[0]


_FORGOTTEN_TO = "events_forgotten_to"
"""Of the row in `meta`."""

_ENDS = sa.select(
    sa.select(sa.func.max(table.c.position)).scalar_subquery(),
    sa.select(meta.c.value).where(meta.c.name == _FORGOTTEN_TO).scalar_subquery(),
)


def ends_of_events(connection: Connection) -> tuple[int, int]:
    """`last_position` and `forgotten_to`, by one query."""
    kept, forgotten = connection.execute(_ENDS).one()
    return max(kept or 0, int(forgotten or 0)), int(forgotten or 0)


def forgotten_to(connection: Connection) -> int:
    """The largest position of an event that was deleted; 0 where none was. Whoever has read on from there
    has missed nothing.
    """
    return ends_of_events(connection)[1]


def note_forgotten(connection: Connection, position: int) -> None:
    """The event at ``position`` is deleted in this transaction, and maybe some before it."""
    if position > forgotten_to(connection):
        upsert(connection, meta, ["name"], [{"name": _FORGOTTEN_TO, "value": str(position)}])


def event_of(row: Row[Any], data: str | None = None) -> Event:
    """With this ``data`` in the place of the row's. Raises one of `unreadable_rows.NOT_READ`."""
    read = _STORED[row.type].model_validate_json(row.data if data is None else data)
    return Event(id=row.id, time=from_micros(row.time), data=read)


def data_of(connection: Connection, event_id: str | None, *, author: str) -> dict[str, Any]:
    """The data of this event as JSON has it; ``author`` is empty for a coordinator or the broker.
    Raises `NoResultFound` where the ledger does not have it.
    """
    query = sa.select(table.c.data).where(table.c.id == event_id, table.c.agent_id == author)
    data: dict[str, Any] = from_json(connection.execute(query).scalar_one())
    return data


def chunks(values: Iterable[str]) -> Iterator[list[str]]:
    """All of ``values``, a few hundred at a time; bytes, which SQLite may have among them, are the last."""
    ordered = sorted(values, key=_place)  # neighbours in an index, too
    return (ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK))


def _place(value: str) -> tuple[bool, str]:
    return not isinstance(value, str), value


def _row_of(event: Event, states: Mapping[Identity, str]) -> dict[str, Any]:
    data = event.data
    return {
        "id": event.id,
        "agent_id": data.author or "",
        "type": data.TYPE,
        "subject": data.subject,
        "time": micros(event.time),
        "data": data.model_dump_json(exclude_none=True),
        "state": states.get(identity(event)),
    }
