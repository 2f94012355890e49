"""Counts in the ledger what is due in the outbox, what waits there, what was parked, and callbacks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.registry.tables import schema
from coordinator.registry.tables.schema import micros

__all__ = ["LedgerBacklog", "ledger_backlog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBacklog:
    """Holds the counts."""

    due: int
    outbox: int
    parked: int
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
        callbacks_pending=_callbacks(connection, "pending"),
        callbacks_dead=_callbacks(connection, "dead"),
    )


def _callbacks(connection: Connection, state: str) -> int:
    table = schema.callbacks
    query = sa.select(sa.func.count()).select_from(table).where(table.c.state == state)
    return connection.execute(query).scalar_one()
