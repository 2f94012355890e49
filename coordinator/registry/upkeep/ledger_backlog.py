"""Counts in the ledger what waits: in the outbox, for people, among what was parked, and callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State
from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros

__all__ = ["LedgerBacklog", "ledger_backlog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBacklog:
    """Holds the counts."""

    due: int
    outbox: int
    parked: int
    input_required: int
    """Tasks that wait for an answer of people."""
    callbacks_pending: int
    callbacks_dead: int


def ledger_backlog(now: datetime, connection: Connection) -> LedgerBacklog:
    """As of ``now``."""
    outbox = schema.outbox
    due = sa.select(sa.func.count()).select_from(outbox).where(outbox.c.due_at <= micros(now))
    return LedgerBacklog(
        due=connection.execute(due).scalar_one(),
        outbox=connection.execute(sa.select(sa.func.count()).select_from(outbox)).scalar_one(),
        parked=connection.execute(
            sa.select(sa.func.count()).select_from(schema.parked)
        ).scalar_one(),
        input_required=_asking(connection),
        callbacks_pending=_callbacks(connection, "pending"),
        callbacks_dead=_callbacks(connection, "dead"),
    )


def _callbacks(connection: Connection, state: str) -> int:
    table = schema.callbacks
    query = sa.select(sa.func.count()).select_from(table).where(table.c.state == state)
    return connection.execute(query).scalar_one()


def _asking(connection: Connection) -> int:
    """By an index: those that `GET /tasks?state=input_required` lists, whose own message is folded."""
    tasks = schema.tasks.c
    query = sa.select(sa.func.count()).where(
        tasks.state == State.INPUT_REQUIRED.value, tasks.submitted_at.is_not(None)
    )
    return connection.execute(query).scalar_one()
