"""Makes the queries that find the first tasks of a page by an index, in order and without sorting.

Where several values of an indexed column are asked for, each is read by itself, in the order of the
index, and the rows are merged by the caller: so the database never sorts. One filter leads, the others
sift what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from coordinator.domain.task import State
from coordinator.registry.tables.labels.label_rows import has_labels
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import task_labels as labels
from coordinator.registry.tables.schema import tasks as table
from coordinator.registry.tables.storable_text import storable

from .task_filter import TaskFilter

__all__ = ["Place", "lanes_of_tasks", "lookups"]

MOST_LANES = 400
"""Lanes that are read each by itself. Where more ask for what is looked for, tasks of these lanes are
common enough to be met on the way through all tasks."""


class Place(NamedTuple):
    """Marks the place of a task in the order of pages."""

    submitted_at: int
    """In microseconds since 1970."""
    task_id: str


def lookups(
    wanted: TaskFilter,
    lanes: Sequence[str] | None,
    after: Place | None,
    limit: int,
    *,
    rare: str | None = None,
) -> tuple[sa.Select[Any], list[dict[str, str]]]:
    """What finds the first ``limit`` places of a page, and the parameters that it is to be asked
    with: each finds some in order, together they find all.

    ``lanes`` are those whose tasks have the requirements that are asked for, where some are. ``rare`` is a
    label that is asked for and that few tasks have: it leads before all columns, as others do after them.
    """
    leader, values = (None, ()) if rare is not None else _leading(wanted, lanes)
    label = rare
    if leader is None and label is None:
        label = next(iter(wanted.labels.labels), None)
    place = table.c if label is None else labels.c
    query = sa.select(place.submitted_at, place.task_id)
    if label is not None:
        query = query.join_from(labels, table, table.c.task_id == labels.c.task_id)
        query = query.where(labels.c.label == storable(label))
    apart = label is not None or leader is table.c.parent_id
    sifting = _sifting(wanted, lanes, leader, apart=apart)
    query = query.where(*sifting, *has_labels(wanted.labels), *_between(wanted, after, place))
    query = query.order_by(place.submitted_at.desc(), place.task_id.desc()).limit(limit)
    if lanes is not None and not lanes:
        return query, []
    if leader is None:
        return query, [{}]
    return query.where(leader == sa.bindparam("leading")), [{"leading": one} for one in values]


def _leading(
    wanted: TaskFilter, lanes: Sequence[str] | None
) -> tuple[sa.ColumnElement[str | None] | None, Sequence[str]]:
    """The column whose index leads, and the values that are looked up there, each by itself."""
    columns = table.c
    states = sorted(state.value for state in wanted.states)
    if wanted.parent_id is not None:
        return columns.parent_id, (wanted.parent_id,)
    if wanted.labels.group is not None:
        return columns.state, states or sorted(state.value for state in State)
    if wanted.submitted_by is not None:
        return columns.submitted_by, (wanted.submitted_by,)
    if wanted.agent_id is not None:
        return columns.state, states or sorted(state.value for state in State)
    few = states and State.COMPLETED not in wanted.states
    leaders: list[tuple[sa.ColumnElement[str | None], Sequence[str]]] = [
        (columns.state, states if few else ()),
        (columns.lane, lanes if lanes is not None and len(lanes) <= MOST_LANES else ()),
        (columns.task_type, () if wanted.task_type is None else (wanted.task_type,)),
        (columns.priority, sorted(priority.value for priority in wanted.priorities)),
        (columns.state, states),
    ]
    return next((leader for leader in leaders if leader[1]), (None, ()))


def _sifting(
    wanted: TaskFilter,
    lanes: Sequence[str] | None,
    leader: sa.ColumnElement[str | None] | None,
    *,
    apart: bool,
) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions on all other columns; those on labels are not among them. ``apart``: the columns are so
    written that no database begins with one of them.
    """

    def plain(column: sa.ColumnElement[str | None]) -> sa.ColumnElement[Any]:
        return column.concat("") if apart else column

    columns = table.c
    if wanted.parent_id is not None and leader is not columns.parent_id:
        yield plain(columns.parent_id) == wanted.parent_id
    if wanted.agent_id is not None:
        yield plain(columns.agent_id) == wanted.agent_id
    if wanted.task_type is not None:
        yield plain(columns.task_type) == wanted.task_type
    if wanted.submitted_by is not None and leader is not columns.submitted_by:
        yield columns.submitted_by.concat("") == wanted.submitted_by
    # A caller's tasks are few beside those of a state, which some database would begin with all the same.
    by_caller = leader is columns.submitted_by
    state = columns.state.concat("") if by_caller else plain(columns.state)
    several = (
        (columns.state, state, [one.value for one in wanted.states]),
        (
            columns.priority,
            plain(columns.priority),
            [priority.value for priority in wanted.priorities],
        ),
        (columns.lane, plain(columns.lane), lanes or ()),
    )
    for column, written, values in several:
        if values and column is not leader:
            yield written.in_(values)


def _between(
    wanted: TaskFilter, after: Place | None, place: Any
) -> Iterator[sa.ColumnElement[bool]]:
    """``place`` has the columns of the order."""
    # Of a task whose own message was not folded yet, nobody is told: it was submitted at no time.
    yield place.submitted_at >= (_EARLIEST if wanted.since is None else micros(wanted.since))
    ends = [] if after is None else [after]
    if wanted.until is not None:
        ends.append(Place(micros(wanted.until), ""))
    if ends:
        end = min(ends)
        yield sa.tuple_(place.submitted_at, place.task_id) < sa.tuple_(*end)


_EARLIEST = -(2**62)


def lanes_of_tasks() -> sa.Select[Any]:
    """From each lane to the next in the index: as many steps as there are lanes, not tasks."""
    known = sa.select(sa.func.min(table.c.lane).label("lane")).cte("known", recursive=True)
    others = table.alias()
    following = sa.select(sa.func.min(others.c.lane)).where(others.c.lane > known.c.lane)
    lanes = known.union_all(sa.select(following.scalar_subquery()).where(known.c.lane.is_not(None)))
    return sa.select(lanes.c.lane).where(lanes.c.lane.is_not(None))
