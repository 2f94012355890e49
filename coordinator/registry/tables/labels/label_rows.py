"""Writes a row for each label of a task, and makes the SQL conditions that a task has labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.labels.task_labels import LabelFilter, labels_of
from coordinator.domain.task import Task
from coordinator.registry.tables.bulk_statements import insert_new
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.schema import task_labels as table
from coordinator.registry.tables.storable_text import storable

__all__ = [
    "RARE",
    "has_label",
    "has_labels",
    "is_among",
    "rarest_label",
    "remove_labels",
    "write_labels",
]

_KEY = ("label", "submitted_at", "task_id")


def write_labels(connection: Connection, changes: Iterable[tuple[Task | None, Task]]) -> None:
    """Bring the rows of tasks up to date whose content was filled in: what each was, and what it is."""
    gone: list[tuple[str, int, str]] = []
    there: list[tuple[str, int, str]] = []
    for was, now in changes:
        new = list(_rows(now))
        if was is not None:
            gone += set(_rows(was)).difference(new)
        there += new
    _delete(connection, gone)
    insert_new(connection, table, _KEY, [dict(zip(_KEY, row, strict=True)) for row in there])


def remove_labels(connection: Connection, forgotten: Iterable[Task]) -> None:
    """Delete the rows of tasks that are forgotten."""
    _delete(connection, [row for task in forgotten for row in _rows(task)])


def _rows(task: Task) -> Iterator[tuple[str, int, str]]:
    if task.submitted_at is not None and (task.tags or task.metadata):
        at = micros(task.submitted_at)
        for label in labels_of(task):
            yield storable(label), at, task.task_id


def _delete(connection: Connection, rows: list[tuple[str, int, str]]) -> None:
    if rows:
        this = [table.c[name] == sa.bindparam(f"this_{name}") for name in _KEY]
        given: list[dict[str, Any]] = [
            {f"this_{name}": value for name, value in zip(_KEY, row, strict=True)} for row in rows
        ]
        connection.execute(table.delete().where(*this), given)


def has_label(label: str) -> sa.ColumnElement[bool]:
    """The condition on a row of `tasks` that the task has this label: one look into the index. No `EXISTS`,
    which PostgreSQL may turn round, and then goes through all tasks with the label.
    """
    this = (
        sa.select(sa.literal(1))
        .where(
            table.c.label == storable(label),
            table.c.submitted_at == tasks.c.submitted_at,
            table.c.task_id == tasks.c.task_id,
        )
        .correlate(tasks)
    )
    return this.scalar_subquery() == 1


def has_labels(wanted: LabelFilter) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions on a row of `tasks` that the task is of this group, and has all of these labels."""
    if wanted.group is not None:
        yield tasks.c.group_id == storable(wanted.group)
    for label in wanted.labels:
        yield has_label(label)


def is_among(rare: str) -> sa.ColumnElement[bool]:
    """The condition on a row of `tasks` that the task is among the few that have the label ``rare``."""
    return tasks.c.task_id.in_(sa.select(table.c.task_id).where(table.c.label == storable(rare)))


RARE = 5000
"""Tasks: so many are looked at one by one in some hundredths of a second."""


def rarest_label(connection: Connection, labels: Iterable[str]) -> str | None:
    """That of ``labels`` which the fewest tasks have, where they are fewer than `RARE`."""
    found: list[tuple[int, str]] = []
    for label in labels:
        first = sa.select(sa.literal(1)).where(table.c.label == storable(label)).limit(RARE)
        query = sa.select(sa.func.count()).select_from(first.subquery())
        found.append((connection.execute(query).scalar_one(), label))
    count, label = min(found, default=(RARE, ""))
    return label if count < RARE else None
