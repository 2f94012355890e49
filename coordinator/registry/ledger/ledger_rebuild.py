"""Folds the kept events again, from the first to the last, for the same answers as before.

One transaction: whoever reads meanwhile gets the old answers, whoever writes waits, and one that is
killed has changed nothing. Pages keep the memory small, however many events there are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.transitions.effects import Rules
from coordinator.protocol.messages.events import Event
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import keep_writers_out, take_time
from coordinator.registry.tables.event_rows import event_of
from coordinator.registry.tables.totals_rows import add_tally, tally_in
from coordinator.registry.tables.unreadable_rows import readable

from .batch_folding import fold_events

__all__ = ["PAGE", "kept_events", "rebuild"]

PAGE = 5000
"""Events folded at a time."""

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""What was to be done about an event was done when it was new: the effects of its fold are nobody's."""

_FOLDED = (
    *(schema.tasks, schema.task_labels, schema.totals, schema.group_totals),
    *(schema.agents, schema.sources),
)
"""What the events make."""

_HEARD = ("heartbeat", "load_metrics", "heard_at", "silence", "clock_skew")


def kept_events(connection: Connection) -> int:
    """How many events there are to fold."""
    query = sa.select(sa.func.count()).select_from(schema.events)
    return int(connection.execute(query).scalar_one())


def rebuild(
    connection: Connection,
    told: Callable[[int], object] | None = None,
    *,
    page: int = PAGE,
    metadata_keys: Collection[str] = (),
) -> int:
    """Make tasks, totals, agents and task queues anew; return how many events were folded: those that
    can be read. ``told`` is called in this thread with the number of events of each page, and whatever
    it raises undoes everything. ``page``: events folded at a time. ``metadata_keys``: those of the
    tasks' metadata by which they are to be found.

    What heartbeats told of the agents stays, since no event tells of it; so do the outbox, the callbacks and
    the events themselves, each at its position.
    """
    take_time(connection)
    # Events for the projector, which is a writer of them before anything else; agents for snapshots.
    keep_writers_out(connection, schema.events, schema.agents)
    heard = _heard(connection)
    for table in _FOLDED:
        connection.execute(table.delete())
    add_tally(connection, schema.totals, tally_in(connection, schema.checkpoint))
    rules = Rules(now=_NO_TIME, metadata_keys=frozenset(metadata_keys))
    count = 0
    for events in _pages(connection, page):
        fold_events(connection, events, rules, {}, [])
        count += len(events)
        if told is not None:
            told(len(events))
    if heard:
        this = schema.agents.c.agent_id == sa.bindparam("this_agent")
        update = schema.agents.update().where(this)
        connection.execute(update.values({name: sa.bindparam(name) for name in _HEARD}), heard)
    return count


def _pages(connection: Connection, page: int) -> Iterator[list[Event]]:
    position = 0
    while True:
        query = (
            sa.select(schema.events)
            .where(schema.events.c.position > position)
            .order_by(schema.events.c.position)
            .limit(page)
        )
        rows = connection.execute(query).all()
        if not rows:
            return
        yield list(readable(rows, event_of, schema.events))
        position = rows[-1].position


def _heard(connection: Connection) -> list[dict[str, Any]]:
    columns = [schema.agents.c[name] for name in _HEARD]
    query = sa.select(schema.agents.c.agent_id.label("this_agent"), *columns)
    return [dict(row) for row in connection.execute(query).mappings()]
