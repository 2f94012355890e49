"""Counts in the ledger what is due in the outbox, what waits there, and what was parked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from . import schema
from .schema import micros

__all__ = ["LedgerBacklog", "ledger_backlog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerBacklog:
    """Holds the three counts."""

    due: int
    outbox: int
    parked: int


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
    )
