"""Folds the kept events again, from the first to the last, for the same answers as before."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.law import Rules

from . import schema
from .event_rows import event_of
from .folding import fold_events

__all__ = ["rebuild"]

PAGE = 5000
"""Events folded at a time."""

_NO_EFFECTS = Rules(now=datetime(1970, 1, 1, tzinfo=UTC))
"""What was to be done about an event was done when it was new."""


def rebuild(connection: Connection) -> int:
    """Make tasks, totals, agents and sources anew, in one transaction; return how many events there
    are.

    What heartbeats told of the agents stays, since no event tells of it. The outbox is left alone.
    """
    heard = connection.execute(sa.select(schema.agents)).mappings().all()
    for table in (schema.tasks, schema.totals, schema.agents, schema.sources):
        connection.execute(table.delete())
    folded = position = 0
    while True:
        query = (
            sa.select(schema.events)
            .where(schema.events.c.position > position)
            .order_by(schema.events.c.position)
            .limit(PAGE)
        )
        rows = connection.execute(query).all()
        if not rows:
            break
        fold_events(connection, [event_of(row) for row in rows], _NO_EFFECTS)
        folded += len(rows)
        position = rows[-1].position
    live = ("heartbeat", "load_metrics", "heard_at", "silence")
    for row in heard:
        this = schema.agents.c.agent_id == row["agent_id"]
        connection.execute(
            schema.agents.update().where(this).values({name: row[name] for name in live})
        )
    return folded
