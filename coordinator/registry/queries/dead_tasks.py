"""Lists dead tasks as the ledger has them: counted by error, and a page at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import Task
from coordinator.errors import InvalidRequest
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.dead_task_selection import DEATH_ORDER, matches
from coordinator.registry.tables.labels.label_rows import rarest_label
from coordinator.registry.tables.row_bytes import length_of, that_fit
from coordinator.registry.tables.schema import from_micros, micros
from coordinator.registry.tables.storable_text import storable
from coordinator.registry.tables.task_rows import load_readable

__all__ = ["DeadGroup", "DeadPage", "DeadTasks", "dead_cursor"]

MOST_GROUPS = 100
"""Different errors that are told of, those of most tasks first."""

_table = schema.tasks.c
_ENDED_AT_AN_INSTANT = _table.ended_at.between(
    micros(datetime.min.replace(tzinfo=UTC)), micros(datetime.max.replace(tzinfo=UTC))
)
"""Others cannot be read, and are in no group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadGroup:
    """Counts the tasks that died of one type of error."""

    error_type: str
    count: int
    first_at: datetime
    last_at: datetime
    """When the first and the last of them died."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadPage:
    """Holds one page of dead tasks, and the groups of all that match."""

    total: int
    """Tasks that match, on all pages."""
    groups: Sequence[DeadGroup]
    tasks: Sequence[Task]
    """Of this page, the last that died first."""
    next_cursor: str | None


class DeadTasks:
    """Reads in one transaction for each question. Raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def page(self, wanted: DeadFilter, *, limit: int, cursor: str | None) -> DeadPage:
        """Raises `InvalidRequest` for a cursor that was not answered before."""
        start = None if cursor is None else _position(cursor)
        return await self._ledger.read(partial(_page, wanted, limit, start))

    async def count(self, wanted: DeadFilter) -> int:
        """How many match."""
        return await self._ledger.read(partial(_count, wanted))


def _page(
    wanted: DeadFilter, limit: int, start: tuple[int, str] | None, connection: Connection
) -> DeadPage:
    chosen = matches(wanted, rare=rarest_label(connection, wanted.labels.labels))
    groups, total = _groups(chosen, connection)
    # Which they are, and how much they hold, before any of them is read.
    texts = length_of(_table.error, _table.progress)
    query = sa.select(_table.ended_at, _table.task_id, texts).where(chosen)
    if start is not None:
        query = query.where(sa.tuple_(*DEATH_ORDER) < start)
    newest_first = [column.desc() for column in DEATH_ORDER]
    rows = connection.execute(query.order_by(*newest_first).limit(limit + 1)).all()
    fit = that_fit(row.length for row in rows[:limit])
    tasks, _ = load_readable(connection, [row.task_id for row in rows[:fit]])
    last = rows[fit - 1] if len(rows) > fit else None
    return DeadPage(
        total=total,
        groups=groups,
        tasks=[tasks[row.task_id] for row in rows[:fit] if row.task_id in tasks],
        next_cursor=None if last is None else f"{last.ended_at}.{last.task_id}",
    )


def dead_cursor(task: Task) -> str:
    """Leads to the page that begins after ``task``, which is dead."""
    return f"{micros(cast('datetime', task.ended_at))}.{task.task_id}"


def _groups(chosen: sa.ColumnElement[bool], connection: Connection) -> tuple[list[DeadGroup], int]:
    """The largest of them, and how many tasks there are in all: counted once for both."""
    count = sa.func.count()
    query = (
        sa.select(
            _table.error_type,
            count.label("tasks"),
            sa.func.min(_table.ended_at).label("first_at"),
            sa.func.max(_table.ended_at).label("last_at"),
            sa.func.sum(count).over().label("total"),
        )
        .where(chosen, _ENDED_AT_AN_INSTANT)
        .group_by(_table.error_type)
        .order_by(count.desc(), _table.error_type)
        .limit(MOST_GROUPS)
    )
    rows = connection.execute(query).all()
    groups = [
        DeadGroup(
            error_type=row.error_type or "",
            count=row.tasks,
            first_at=from_micros(row.first_at),
            last_at=from_micros(row.last_at),
        )
        for row in rows
    ]
    return groups, int(rows[0].total) if rows else 0


def _count(wanted: DeadFilter, connection: Connection) -> int:
    chosen = matches(wanted, rare=rarest_label(connection, wanted.labels.labels))
    query = sa.select(sa.func.count()).select_from(schema.tasks).where(chosen)
    return int(connection.execute(query).scalar_one())


def _position(cursor: str) -> tuple[Any, str]:
    ended_at, dot, task_id = cursor.partition(".")
    if not dot or not ended_at.isdecimal() or len(ended_at) > 18:
        raise InvalidRequest("cursor must be the next_cursor of an answer", field="cursor")
    return int(ended_at), storable(task_id)
