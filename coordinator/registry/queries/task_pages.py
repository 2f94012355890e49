"""Pages of tasks, newest first, each as quick as the first however many tasks there are.

A page begins after a place, not after a number of rows: an index leads there. Where several values
of an indexed column are asked for, each is read by itself, in the order of the index, and the rows
are merged here: so the database never sorts. One filter leads, the others sift what it finds.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from pydantic_core import from_json
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task import State, Task
from coordinator.domain.task_transitions import fold
from coordinator.protocol.lanes import lane_asks
from coordinator.protocol.messages.events import Event, TaskDeadLettered, TaskSubmitted
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.registry.tables import event_rows, schema
from coordinator.registry.tables.event_rows import identity
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import tasks as table
from coordinator.registry.tables.task_rows import load_readable
from coordinator.registry.tables.unreadable_rows import readable

from .task_filter import TaskFilter
from .views import TaskSummary

__all__ = ["Place", "TaskPage", "lookups", "page_of"]

MOST_LANES = 400
"""Lanes that are read each by itself. Where more ask for what is looked for, tasks of these lanes are
common enough to be met on the way through all tasks."""


class Place(NamedTuple):
    """A task's place in the order of pages."""

    submitted_at: int
    """In microseconds since 1970."""
    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Some tasks, and after which place there are more; None where there are not."""

    tasks: list[TaskSummary]
    following: Place | None


def page_of(
    connection: Connection,
    wanted: TaskFilter,
    *,
    after: Place | None,
    limit: int,
    pending: Sequence[Event] = (),
) -> TaskPage:
    """The ``limit`` newest tasks after the place ``after`` that ``wanted`` admits. ``pending`` are
    events that this process has seen confirmed: tasks stand as they will once these are folded.
    """
    pending = _unfolded(connection, pending)
    asked = _Requirements(connection, pending)
    lanes = _lanes(connection, wanted, asked) if wanted.asks_for_requirements else None
    before, _ = load_readable(connection, {event.data.subject for event in pending})
    changed = _changed(before, pending)
    rows = limit + 1 + len(before)  # of which some are not as they stand in the ledger
    query, leading = lookups(wanted, lanes, after, rows)
    found = heapq.merge(*(_places(connection, query, one) for one in leading), reverse=True)
    stored = (place for place in found if place.task_id not in changed)
    added = sorted(
        (
            _place(task)
            for task in changed.values()
            if task.known
            and (after is None or _place(task) < after)
            and wanted.admits(task, asked.of(task))
        ),
        reverse=True,
    )
    places = list(islice(heapq.merge(stored, added, reverse=True), limit + 1))
    on_page = [place.task_id for place in places[:limit]]
    stored_tasks, _ = load_readable(connection, set(on_page) - changed.keys())
    tasks = stored_tasks | changed
    return TaskPage(
        tasks=[_summary(tasks[one], asked.of(tasks[one])) for one in on_page if one in tasks],
        following=places[limit - 1] if len(places) > limit else None,
    )


def lookups(
    wanted: TaskFilter, lanes: Sequence[str] | None, after: Place | None, limit: int
) -> tuple[sa.Select[Any], list[dict[str, str]]]:
    """What finds the first ``limit`` places of a page, and the parameters that it is to be asked
    with: each finds some in order, together they find all.

    ``lanes`` are those whose tasks have the requirements that are asked for, where some are.
    """
    leader, values = _leading(wanted, lanes)
    query = sa.select(table.c.submitted_at, table.c.task_id)
    query = query.where(*_sifting(wanted, lanes, leader), *_between(wanted, after))
    query = query.order_by(table.c.submitted_at.desc(), table.c.task_id.desc()).limit(limit)
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
) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions on all other columns."""
    columns = table.c
    if wanted.agent_id is not None:
        yield columns.agent_id == wanted.agent_id
    if wanted.task_type is not None:
        yield columns.task_type == wanted.task_type
    several = (
        (columns.state, [state.value for state in wanted.states]),
        (columns.priority, [priority.value for priority in wanted.priorities]),
        (columns.lane, lanes or ()),
    )
    for column, values in several:
        if values and column is not leader:
            yield column.in_(values)


def _between(wanted: TaskFilter, after: Place | None) -> Iterator[sa.ColumnElement[bool]]:
    columns = table.c
    # Of a task whose own message was not folded yet, nobody is told: it was submitted at no time.
    yield columns.submitted_at >= (_EARLIEST if wanted.since is None else micros(wanted.since))
    ends = [] if after is None else [after]
    if wanted.until is not None:
        ends.append(Place(micros(wanted.until), ""))
    if ends:
        end = min(ends)
        yield sa.tuple_(columns.submitted_at, columns.task_id) < sa.tuple_(*end)


_EARLIEST = -(2**62)


def _lanes(connection: Connection, wanted: TaskFilter, asked: _Requirements) -> list[str]:
    """Those of the lanes with tasks, open or retired, whose tasks ask for what is wanted."""
    found: list[str] = []
    for lane in connection.execute(lanes_of_tasks()).scalars():
        asks = lane_asks(lane, wanted.requirements)
        if asks is None:
            asks = wanted.admits_requirements(asked.of_lane(lane))
        if asks:
            found.append(lane)
    return found


def lanes_of_tasks() -> sa.Select[Any]:
    """From each lane to the next in the index: as many steps as there are lanes, not tasks."""
    known = sa.select(sa.func.min(table.c.lane).label("lane")).cte("known", recursive=True)
    others = table.alias()
    following = sa.select(sa.func.min(others.c.lane)).where(others.c.lane > known.c.lane)
    lanes = known.union_all(sa.select(following.scalar_subquery()).where(known.c.lane.is_not(None)))
    return sa.select(lanes.c.lane).where(lanes.c.lane.is_not(None))


def _places(
    connection: Connection, query: sa.Select[Any], leading: dict[str, str]
) -> Iterator[Place]:
    return readable(connection.execute(query, leading), _place_of, table)


def _place_of(row: Row[int, str]) -> Place:
    """Places are compared, which bytes in the place of an id are with no text."""
    if not isinstance(row.task_id, str):
        raise TypeError("its id is no text")
    return Place(*row)


def _unfolded(connection: Connection, pending: Sequence[Event]) -> list[Event]:
    known = event_rows.known(connection, pending)
    return [event for event in pending if identity(event) not in known]


def _changed(before: dict[str, Task], pending: Iterable[Event]) -> dict[str, Task]:
    """The tasks that ``pending`` are about, as they will stand."""
    tasks = dict(before)
    for event in pending:
        tasks[event.data.subject] = fold(tasks.get(event.data.subject), event).task
    return tasks


class _Requirements:
    """What tasks ask of agents: as their lane does, and all tasks of a lane ask the same."""

    def __init__(self, connection: Connection, pending: Iterable[Event]) -> None:
        self._connection = connection
        self._told = {
            event.id: event.data.task.wanted
            for event in pending
            if isinstance(event.data, TaskSubmitted | TaskDeadLettered)
        }
        self._lanes: dict[str, Requirements] = {}

    def of(self, task: Task) -> Requirements:
        if task.submission is not None and task.submission in self._told:
            return self._told[task.submission]
        return self.of_lane(task.lane or "")

    def of_lane(self, lane: str) -> Requirements:
        """Of a lane that has tasks in the ledger."""
        if lane not in self._lanes:
            found = self._of_source(lane)
            if found is None:
                found = self._of_messages(lane)
            self._lanes[lane] = Requirements.from_dict(found)
        return self._lanes[lane]

    def _of_source(self, lane: str) -> Any:
        sources = schema.sources.c
        query = sa.select(sources.requirements).where(sources.lane == lane).limit(1)
        return self._first(query)

    def _of_messages(self, lane: str) -> Any:
        """Of a lane that is retired, or whose opening is not folded yet."""
        events = schema.events.c
        task = sa.select(table.c.submission).where(table.c.lane == lane)
        task = task.order_by(table.c.submitted_at).limit(
            1
        )  # the order of the index: or it is not used
        query = sa.select(events.data).where(
            events.id == task.scalar_subquery(), events.agent_id == ""
        )
        content = (self._first(query) or {}).get("task")
        return content.get("requirements") if isinstance(content, dict) else None

    def _first(self, query: sa.Select[Any]) -> dict[str, Any] | None:
        """None where there is none, and where it cannot be read."""
        found = self._connection.execute(query).scalar()
        try:
            value = None if found is None else from_json(found)
        except ValueError:
            return None
        return value if isinstance(value, dict) else None


def _place(task: Task) -> Place:
    return Place(micros(cast("datetime", task.submitted_at)), task.task_id)


def _summary(task: Task, wanted: Requirements) -> TaskSummary:
    return TaskSummary(
        task_id=task.task_id,
        state=task.state.value,
        task_type=task.task_type,
        priority=cast("Priority", task.priority),
        requirements=wanted.asked.as_dict(),
        lane=task.lane or "",
        generation=task.generation,
        attempt=task.attempt,
        max_attempts=task.max_attempts or 1,
        submitted_at=cast("datetime", task.submitted_at),
        expires_at=task.expires_at,
        started_at=task.started_at,
        ended_at=task.ended_at,
        agent_id=task.agent_id,
        progress=task.progress,
        error=task.error,
    )
