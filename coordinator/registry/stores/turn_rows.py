"""Begins and ends turns of requests in the table `turns`, one row for each task that is acted on.

A row names the event that is published in its turn, and the turn is over when the ledger has that event.
One that has lasted for long names what may never have been published, since its coordinator was killed or
got no answer: it is over once the ledger has all that is in the log, and not this.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import turns as table

__all__ = [
    "LASTS",
    "TurnLook",
    "TurnTaken",
    "enter",
    "enter_one",
    "give_back",
    "leave",
    "name_events",
]

LASTS = timedelta(seconds=30)
"""After which a turn is in doubt."""

KEPT = timedelta(hours=1)
"""After which a row is taken away by whoever comes next."""


class TurnTaken(Exception):
    """It is another request's turn; ``in_doubt``: it has lasted for longer than `LASTS`."""

    def __init__(self, *, in_doubt: bool) -> None:
        self.in_doubt = in_doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnLook:
    """Tells one transaction the time, and which events count as folded."""

    now: datetime
    seen: Collection[str] = ()
    """Ids of events that count as folded."""
    settled: bool = False
    """Whether the ledger has all that was in the log when the request came: what it has not is not so."""


def enter_one(connection: Connection, task_id: str, look: TurnLook) -> str:
    """Begin a turn of this task; return its holder. Raises `TurnTaken`."""
    holder, mine = enter(connection, [task_id], look)
    if mine:
        return holder
    query = sa.select(table.c.taken_at).where(table.c.task_id == task_id)
    taken_at = connection.execute(query).scalar()
    raise TurnTaken(in_doubt=taken_at is not None and taken_at < micros(look.now - LASTS))


def enter(
    connection: Connection, task_ids: Sequence[str], look: TurnLook
) -> tuple[str, Sequence[str]]:
    """Begin turns of those tasks that it is nobody else's turn to act on: the holder, a random word for
    this transaction, and the ids of those tasks.
    """
    connection.execute(table.delete().where(table.c.taken_at < micros(look.now - KEPT)))
    rows = connection.execute(sa.select(table).where(table.c.task_id.in_(task_ids))).all()
    over = [row.holder for row in _over(connection, rows, look)]
    # By the holder as well: another may have been as quick, and have the next turn.
    connection.execute(
        table.delete().where(table.c.task_id.in_(task_ids), table.c.holder.in_(over))
    )
    holder = secrets.token_hex(16)
    now = micros(look.now)
    insert_new(
        connection,
        table,
        ["task_id"],
        [
            {"task_id": task_id, "holder": holder, "event_id": "", "taken_at": now}
            for task_id in sorted(task_ids)  # in one order, so that no two wait for each other
        ],
    )
    mine = sa.select(table.c.task_id).where(table.c.holder == holder)
    return holder, connection.execute(mine).scalars().all()


def _over(connection: Connection, rows: Sequence[Row[Any]], look: TurnLook) -> list[Row[Any]]:
    events = schema.events.c
    named = [row.event_id for row in rows]
    query = sa.select(events.id).where(events.id.in_(named), events.agent_id == "")
    folded = {*look.seen, *connection.execute(query).scalars()} if named else set()
    lasted = micros(look.now - LASTS)
    return [
        row for row in rows if row.event_id in folded or (look.settled and row.taken_at < lasted)
    ]


def name_events(connection: Connection, holder: str, events: Iterable[tuple[str, str]]) -> None:
    """Write which event is published in the turn of each task, pairs of task id and event id."""
    given = [{"of": task_id, "named": event_id} for task_id, event_id in events]
    if given:
        this = (table.c.holder == holder) & (table.c.task_id == sa.bindparam("of"))
        connection.execute(table.update().where(this).values(event_id=sa.bindparam("named")), given)


def leave(connection: Connection, holder: str, *, unnamed_alone: bool = False) -> None:
    """End this holder's turns, or those in which no event is published."""
    ending = table.c.holder == holder
    if unnamed_alone:
        ending &= table.c.event_id == ""
    connection.execute(table.delete().where(ending))


def give_back(event_id: str, connection: Connection) -> None:
    """End the turn in which this event was to be published: it certainly was not."""
    connection.execute(table.delete().where(table.c.event_id == event_id))
