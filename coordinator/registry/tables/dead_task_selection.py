"""Finds the rows of dead tasks that match a filter, the first that died first."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import Task

from .labels.label_rows import has_labels, is_among
from .schema import DEAD, micros, tasks
from .storable_text import storable
from .task_rows import tasks_of

__all__ = ["DEATH_ORDER", "dead_after", "matches", "still_dead"]

_table = tasks.c

DEATH_ORDER = (_table.ended_at, _table.task_id)
"""The columns by which pages of dead tasks are sorted."""


def matches(wanted: DeadFilter, *, rare: str | None = None) -> sa.ColumnElement[bool]:
    """The condition on `tasks` of the dead tasks that ``wanted`` lets through, and whose content is kept.
    ``rare`` is a label that is asked for and that few tasks have: they are listed, and not each of the dead
    is asked for it.
    """
    given: list[sa.ColumnElement[bool]] = [DEAD]
    for column, value in (
        (_table.error_type, wanted.error_type),
        (_table.lane, wanted.lane),
        (_table.task_type, wanted.task_type),
    ):
        if value is not None:
            # No index on the type or the lane is to lead: of the many tasks that it has, few are dead.
            given.append(column.concat("") == storable(value))
    if wanted.submitted_from is not None:
        given.append(_table.submitted_at >= micros(wanted.submitted_from))
    if wanted.submitted_before is not None:
        given.append(_table.submitted_at < micros(wanted.submitted_before))
    if rare is not None:
        given.append(is_among(rare))
    given += has_labels(wanted.labels)
    return sa.and_(*given)


def dead_after(
    connection: Connection, wanted: DeadFilter, after: Task | None, most: int
) -> list[Task]:
    """At most ``most`` of those that match and died after ``after``; None begins with the first."""
    query = sa.select(tasks).where(matches(wanted))
    if after is not None and after.ended_at is not None:
        query = query.where(sa.tuple_(*DEATH_ORDER) > (micros(after.ended_at), after.task_id))
    rows = connection.execute(query.order_by(*DEATH_ORDER).limit(most)).all()
    return tasks_of(rows)


def still_dead(connection: Connection, wanted: DeadFilter, task_ids: Sequence[str]) -> list[Task]:
    """Those of the tasks that match now."""
    query = sa.select(tasks).where(matches(wanted), _table.task_id.in_(task_ids))
    return tasks_of(connection.execute(query.order_by(*DEATH_ORDER)).all())
