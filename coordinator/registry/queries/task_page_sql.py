"""Makes the queries that find the first tasks of a page by an index, in order and without sorting.

Where several values of an indexed column are asked for, each is read by itself, in the order of the
index, and the rows are merged by the caller: so the database never sorts. One filter leads, the others
sift what it finds. Where they may sift for long, a page has a floor below which it is not looked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from coordinator.domain.task import State
from coordinator.registry.tables.labels.label_rows import has_label
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import task_labels as labels
from coordinator.registry.tables.schema import tasks as table
from coordinator.registry.tables.storable_text import storable

from .task_filter import TaskFilter

__all__ = ["PageLookup", "Place", "few_of_type", "lanes_of_tasks"]

MOST_LANES = 400
"""Lanes that are read each by itself. Where more ask for what is looked for, tasks of these lanes are
common enough to be met on the way through all tasks."""


class Place(NamedTuple):
    """Marks the place of a task in the order of pages."""

    submitted_at: int
    """In microseconds since 1970."""
    task_id: str


class PageLookup:
    """Leads to the tasks of pages by an index, and sifts them with the filters that it has not in it."""

    def __init__(
        self,
        wanted: TaskFilter,
        lanes: Sequence[str] | None,
        *,
        rare: str | None = None,
        rare_type: bool = False,
    ) -> None:
        """``lanes`` are those whose tasks have the requirements that are asked for, where some are. ``rare``
        is a label that is asked for and that few tasks have: it leads before all columns, as others do after
        them. So does the type that is asked for, where it is a ``rare_type``.
        """
        leader, values = (None, ()) if rare is not None else _leading(wanted, lanes, rare_type)
        label = rare
        if leader is None and label is None:
            label = next(iter(wanted.labels.labels), None)
        self._wanted = wanted
        self._label = label
        self._place: Any = table.c if label is None else labels.c
        self._led = list(_led(wanted, leader, label))
        self._sifting = list(_sifting(wanted, lanes, leader, label))
        self.leading: Sequence[dict[str, str]] = [{}]
        """The parameters that each query is to be asked with: each finds some in order, together they find
        all."""
        if lanes is not None and not lanes:
            self.leading = []
        elif leader is not None:
            self.leading = [{"leading": one} for one in values]

    @property
    def sifts(self) -> bool:
        """Whether not all that the index leads to match."""
        return bool(self._sifting)

    def places(
        self, after: Place | None, limit: int, *, floor: Place | None = None
    ) -> sa.Select[Any]:
        """What finds the first ``limit`` places of the page after ``after``, none of them below ``floor``."""
        place = self._place
        query = sa.select(place.submitted_at, place.task_id)
        if self._label is not None:
            query = query.join_from(labels, table, table.c.task_id == labels.c.task_id)
        return self._page(query.where(*self._sifting), after, floor).limit(limit)

    def floor(self, after: Place | None, most: int) -> sa.Select[Any]:
        """What finds the place in the index behind ``most`` others, whether they match or not. It reads the
        index alone, and no row.
        """
        query = sa.select(self._place.submitted_at, self._place.task_id)
        return self._page(query, after, None).offset(most).limit(1)

    def _page(
        self, query: sa.Select[Any], after: Place | None, floor: Place | None
    ) -> sa.Select[Any]:
        place = self._place
        query = query.where(*self._led, *_between(self._wanted, after, floor, place))
        return query.order_by(place.submitted_at.desc(), place.task_id.desc())


def few_of_type(task_type: str, most: int) -> sa.Select[Any]:
    """What counts the tasks of the type, and no further than to ``most``."""
    first = sa.select(sa.literal(1)).where(table.c.task_type == storable(task_type)).limit(most)
    return sa.select(sa.func.count()).select_from(first.subquery())


def _leading(
    wanted: TaskFilter, lanes: Sequence[str] | None, rare_type: bool
) -> tuple[sa.ColumnElement[str | None] | None, Sequence[str]]:
    """The column whose index leads, and the values that are looked up there, each by itself."""
    columns = table.c
    states = sorted(state.value for state in wanted.states)
    if wanted.parent_id is not None:
        return columns.parent_id, (wanted.parent_id,)
    if rare_type and wanted.task_type is not None:
        return columns.task_type, (wanted.task_type,)
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


def _led(
    wanted: TaskFilter, leader: sa.ColumnElement[str | None] | None, label: str | None
) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions with which the index begins."""
    if label is not None:
        yield labels.c.label == storable(label)
        return
    of_state = leader is table.c.state
    if of_state and wanted.labels.group is not None:
        yield table.c.group_id == storable(wanted.labels.group)
    elif of_state and wanted.submitted_by is None and wanted.agent_id is not None:
        yield table.c.agent_id == wanted.agent_id
    if leader is not None:
        yield leader == sa.bindparam("leading")


def _sifting(
    wanted: TaskFilter,
    lanes: Sequence[str] | None,
    leader: sa.ColumnElement[str | None] | None,
    label: str | None,
) -> Iterator[sa.ColumnElement[bool]]:
    """The other conditions, so written that no database begins with one of them: an index that it takes for
    shorter may have to be followed for much longer.
    """
    columns = table.c
    of_state = leader is columns.state
    grouped = of_state and wanted.labels.group is not None
    by_agent = of_state and not grouped and wanted.submitted_by is None
    single = (
        (columns.parent_id, wanted.parent_id),
        (columns.group_id, None if grouped else wanted.labels.group),
        (columns.agent_id, None if by_agent else wanted.agent_id),
        (columns.task_type, wanted.task_type),
        (columns.submitted_by, wanted.submitted_by),
    )
    for column, value in single:
        if value is not None and column is not leader:
            yield column.concat("") == storable(value)
    several = (
        (columns.state, [one.value for one in wanted.states]),
        (columns.priority, [priority.value for priority in wanted.priorities]),
        (columns.lane, lanes or ()),
    )
    for column, values in several:
        if values and column is not leader:
            yield column.concat("").in_(values)
    for one in wanted.labels.labels:
        if one != label:
            yield has_label(one)


def _between(
    wanted: TaskFilter, after: Place | None, floor: Place | None, place: Any
) -> Iterator[sa.ColumnElement[bool]]:
    """``place`` has the columns of the order."""
    if floor is not None:  # is no earlier than the other, and a database goes by one of them alone
        yield sa.tuple_(place.submitted_at, place.task_id) >= sa.tuple_(*floor)
    else:
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
