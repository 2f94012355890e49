"""Takes tasks out of the ledger with all that was said of them. What they added to the totals stays.

    tasks, events, outbox, callbacks ──▶ gone        what they counted ──▶ checkpoint        one transaction
    labels, group counts, cancellations ──▶ gone

So the totals are, at every moment, the checkpoint and what a fold of the kept events adds to it. An
event that comes later all the same makes a task without content: nobody is shown it, it counts for
nothing, and `retention` takes it away in its turn.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task_totals import NOTHING, measure
from coordinator.registry.tables import schema
from coordinator.registry.tables.bulk_statements import keep_writers_out
from coordinator.registry.tables.event_rows import chunks, note_forgotten
from coordinator.registry.tables.labels.group_total_rows import add_group_counts, drop_empty_groups
from coordinator.registry.tables.labels.label_rows import remove_labels
from coordinator.registry.tables.task_rows import tasks_of
from coordinator.registry.tables.totals_rows import add_tally

__all__ = ["forget"]


def forget(connection: Connection, task_ids: Iterable[str]) -> int:
    """Delete these tasks, their events, their callbacks and what waits in the outbox for them; return how
    many were there. Which of them may go is the caller's to say: see `Task.gone`.
    """
    keep_writers_out(connection, schema.events)
    tasks, events = schema.tasks, schema.events
    counted, found = NOTHING, 0
    for ids in chunks(task_ids):
        rows = connection.execute(sa.select(tasks).where(tasks.c.task_id.in_(ids))).all()
        known = tasks_of(rows)  # of one that cannot be read nobody knows what it counted
        for task in known:
            counted = counted.plus(measure(task))
        remove_labels(connection, known)
        add_group_counts(connection, [(task, None) for task in known])
        drop_empty_groups(connection, known)
        found += len(rows)
        about = events.c.subject.in_(ids) & events.c.type.like("task.%")
        last = connection.execute(sa.select(sa.func.max(events.c.position)).where(about)).scalar()
        note_forgotten(connection, last or 0)
        connection.execute(events.delete().where(about))
        for table in (schema.outbox, schema.callbacks, schema.cancellations, schema.turns, tasks):
            connection.execute(table.delete().where(table.c.task_id.in_(ids)))
    add_tally(connection, schema.checkpoint, counted)
    return found
