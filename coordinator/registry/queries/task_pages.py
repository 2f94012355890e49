"""Reads pages of tasks, newest first, each as quick as the first however many tasks there are.

A page begins after a place, not after a number of rows: an index leads there, see `task_page_sql`. Tasks
that this process knows more of than the ledger are merged in as they will stand.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from coordinator.domain.task import Task
from coordinator.domain.transitions.effects import NO_RETRY_TIME
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.lanes import lane_asks
from coordinator.protocol.messages.events import Event
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.registry.tables import event_rows
from coordinator.registry.tables.event_rows import identity
from coordinator.registry.tables.labels.label_rows import RARE, rarest_label
from coordinator.registry.tables.row_bytes import length_of, that_fit
from coordinator.registry.tables.schema import micros
from coordinator.registry.tables.schema import tasks as table
from coordinator.registry.tables.task_rows import load_readable
from coordinator.registry.tables.unreadable_rows import readable

from .lane_requirements import LaneRequirements
from .task_filter import TaskFilter
from .task_page_sql import PageLookup, Place, few_of_type, lanes_of_tasks
from .task_view import TaskSummary

__all__ = ["LOOKED_AT", "Place", "TaskPage", "page_of", "place_of"]

LOOKED_AT = 5_000
"""Tasks that one page is sifted from at most, as quickly as some hundredths of a second. Where few of them
match, the page is short or empty, and the next one goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """Holds some tasks, and after which place there are more; None where there are not."""

    tasks: list[TaskSummary]
    following: Place | None


def page_of(
    connection: Connection,
    wanted: TaskFilter,
    *,
    after: Place | None,
    limit: int,
    pending: Sequence[Event] = (),
    looked_at: int = LOOKED_AT,
) -> TaskPage:
    """The ``limit`` newest tasks after the place ``after`` that ``wanted`` admits, or fewer where they hold
    much, or where few of the ``looked_at`` match that an index leads to. ``pending`` are events that this
    process has seen confirmed: tasks stand as they will once these are folded.
    """
    pending = _unfolded(connection, pending)
    asked = LaneRequirements(connection, pending)
    lanes = _lanes(connection, wanted, asked) if wanted.asks_for_requirements else None
    before, _ = load_readable(connection, {event.data.subject for event in pending})
    changed = _changed(before, pending, wanted.labels.keys)
    rows = limit + 1 + len(before)  # of which some are not as they stand in the ledger
    rare = rarest_label(connection, wanted.labels.labels)
    lookup = PageLookup(wanted, lanes, rare=rare, rare_type=_is_rare(connection, wanted.task_type))
    floor = _floor(connection, lookup, after, max(looked_at // (len(lookup.leading) or 1), rows))
    query = lookup.places(after, rows, floor=floor)
    found = heapq.merge(*(_places(connection, query, one) for one in lookup.leading), reverse=True)
    stored = (place for place in found if place.task_id not in changed)
    added = sorted(
        (
            _place(task)
            for task in changed.values()
            if task.known
            and (after is None or _place(task) < after)
            and (floor is None or _place(task) >= floor)
            and wanted.admits(task, asked.of(task))
        ),
        reverse=True,
    )
    places = list(islice(heapq.merge(stored, added, reverse=True), limit + 1))
    on_page = [place.task_id for place in places[:limit]]
    fit = that_fit(_lengths(connection, on_page, changed.keys()))
    on_page = on_page[:fit]
    stored_tasks, _ = load_readable(connection, set(on_page) - changed.keys())
    tasks = stored_tasks | changed
    return TaskPage(
        tasks=[_summary(tasks[one], asked.of(tasks[one])) for one in on_page if one in tasks],
        following=places[fit - 1] if len(places) > fit else floor,
    )


def place_of(task: TaskSummary) -> Place:
    """After which a page begins whose first task comes after ``task``."""
    return Place(micros(task.submitted_at), task.task_id)


def _lengths(
    connection: Connection, task_ids: Sequence[str], in_memory: AbstractSet[str]
) -> Iterator[int]:
    """What each of the tasks holds that an agent wrote."""
    texts = length_of(table.c.error, table.c.progress)
    query = sa.select(table.c.task_id, texts).where(table.c.task_id.in_(task_ids))
    found = {row.task_id: row.length for row in connection.execute(query)}
    return (0 if one in in_memory else found.get(one, 0) for one in task_ids)


def _is_rare(connection: Connection, task_type: str | None) -> bool:
    if task_type is None:
        return False
    return bool(connection.execute(few_of_type(task_type, RARE)).scalar_one() < RARE)


def _floor(
    connection: Connection, lookup: PageLookup, after: Place | None, most: int
) -> Place | None:
    """The last place that is looked at for a page, ``most`` places further by each of those that lead, where
    there are more and not all of them match. The next page begins after it.
    """
    if not lookup.sifts or not lookup.leading:
        return None
    query = lookup.floor(after, most)
    ends = (next(_places(connection, query, one), None) for one in lookup.leading)
    return max((end for end in ends if end is not None), default=None)


def _lanes(connection: Connection, wanted: TaskFilter, asked: LaneRequirements) -> list[str]:
    """Those of the lanes with tasks, open or retired, whose tasks ask for what is wanted."""
    found: list[str] = []
    for lane in connection.execute(lanes_of_tasks()).scalars():
        asks = lane_asks(lane, wanted.requirements)
        if asks is None:
            asks = wanted.admits_requirements(asked.of_lane(lane))
        if asks:
            found.append(lane)
    return found


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


def _changed(
    before: dict[str, Task], pending: Iterable[Event], keys: frozenset[str]
) -> dict[str, Task]:
    """The tasks that ``pending`` are about, as they will stand, with these ``keys`` of their metadata."""
    rules = replace(NO_RETRY_TIME, metadata_keys=keys) if keys else NO_RETRY_TIME
    tasks = dict(before)
    for event in pending:
        tasks[event.data.subject] = fold(tasks.get(event.data.subject), event, rules).task
    return tasks


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
        submitted_by=task.submitted_by,
        parent_id=task.parent_id,
        group=task.group,
        tags=task.tags,
    )
