"""Finds the tasks of a group that go on, each for one request at a time, and tells which of them it ended.

    live tasks after a place ─▶ turns of those that nobody else acts on ─▶ looked at again ─▶ events named

By the index of groups, in its order: what has ended is not gone through, however much it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.labels.task_labels import LabelFilter
from coordinator.domain.task import ENDED, State, Task
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.labels.label_rows import has_labels
from coordinator.registry.tables.schema import micros, tasks
from coordinator.registry.tables.task_rows import load_readable, tasks_of

from .turn_rows import TurnLook, enter, give_back, leave, name_events

__all__ = ["GroupTasks", "LivePage"]

_LIVE = tuple(sorted(state.value for state in State if state not in ENDED))

_ORDER = (tasks.c.state, tasks.c.submitted_at, tasks.c.task_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class LivePage:
    """Holds some tasks that go on, and the last that was looked at; None where there are no more."""

    tasks: Sequence[Task]
    last: Task | None


class GroupTasks:
    """Reads and writes in one transaction each time. Methods raise `LedgerUnavailable`."""

    def __init__(
        self, ledger: Ledger, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._ledger = ledger
        self._now = now

    async def take(
        self,
        wanted: LabelFilter,
        *,
        by: str | None,
        after: Task | None,
        most: int,
        event_id: Callable[[Task], str],
    ) -> LivePage:
        """Of the next ``most`` tasks after ``after`` that match and go on, those whose turn this caller now
        has; of one submitter alone where ``by`` is given. ``event_id`` tells what will be published of each.
        """
        look = TurnLook(now=self._now())
        return await self._ledger.write(partial(_take, (wanted, by), after, most, look, event_id))

    async def give_back(self, event_ids: Collection[str]) -> None:
        """None of these was published: the turns are over."""
        await self._ledger.write(partial(_give_back, event_ids))

    async def ended_otherwise(self, events: Mapping[str, str]) -> set[str]:
        """Of these tasks, each with the event that was to end it, those that something else has ended."""
        return await self._ledger.read(partial(_ended_otherwise, events))

    async def going_on(self, wanted: LabelFilter, *, by: str | None) -> int:
        """How many that match go on."""
        return await self._ledger.read(partial(_going_on, (wanted, by)))


_Selection = tuple[LabelFilter, str | None]


def _live(selection: _Selection) -> sa.ColumnElement[bool]:
    wanted, by = selection
    given = [tasks.c.state.in_(_LIVE), tasks.c.content > 0, *has_labels(wanted)]
    if by is not None:  # so written that no database begins with all tasks of this caller
        given.append(tasks.c.submitted_by.concat("") == by)
    return sa.and_(*given)


def _take(
    selection: _Selection,
    after: Task | None,
    most: int,
    look: TurnLook,
    event_id: Callable[[Task], str],
    connection: Connection,
) -> LivePage:
    query = sa.select(tasks).where(_live(selection))
    if after is not None and after.submitted_at is not None:
        place = (after.state.value, micros(after.submitted_at), after.task_id)
        query = query.where(sa.tuple_(*_ORDER) > place)
    candidates = tasks_of(connection.execute(query.order_by(*_ORDER).limit(most)).all())
    if not candidates:
        return LivePage(tasks=(), last=None)
    holder, mine = enter(connection, [task.task_id for task in candidates], look)
    # Looked at again in turn: it may have been another's a moment ago.
    now, _ = load_readable(connection, mine)
    found = [now[one.task_id] for one in candidates if one.task_id in now]
    found = [task for task in found if not task.ended]
    name_events(connection, holder, [(task.task_id, event_id(task)) for task in found])
    leave(connection, holder, unnamed_alone=True)
    return LivePage(tasks=found, last=candidates[-1])


def _give_back(event_ids: Collection[str], connection: Connection) -> None:
    for event_id in event_ids:
        give_back(event_id, connection)


def _ended_otherwise(events: Mapping[str, str], connection: Connection) -> set[str]:
    found, _ = load_readable(connection, events)
    return {
        task_id for task_id, task in found.items() if task.ended and task.outcome != events[task_id]
    }


def _going_on(selection: _Selection, connection: Connection) -> int:
    query = sa.select(sa.func.count()).select_from(tasks).where(_live(selection))
    return int(connection.execute(query).scalar_one())
