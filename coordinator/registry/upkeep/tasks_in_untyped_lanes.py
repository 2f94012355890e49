"""Finds tasks in a lane without a type, though an agent has announced theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import IN_HAND
from coordinator.protocol.messages.events import TaskSubmitted
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from coordinator.registry.tables.event_rows import chunks
from coordinator.registry.tables.schema import QUEUED
from coordinator.registry.tables.schema import tasks as table

__all__ = ["TasksInUntypedLanes"]


class TasksInUntypedLanes:
    """Reads whole queues: not for the hot path. Each method raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def sources(
        self, sources: Iterable[TaskQueue], task_types: Collection[str]
    ) -> list[TaskQueue]:
        """Those of ``sources`` in which a task of one of these types is, in the same order."""
        return await self._ledger.read(
            lambda connection: list(_having(connection, sources, task_types))
        )

    async def announced(self) -> set[str]:
        """The types that any agent ever announced."""
        return await self._ledger.announced_types()

    async def messages(self, task_ids: Collection[str]) -> dict[str, set[str]]:
        """The ids of the messages of each task that the ledger has."""
        return await self._ledger.read(partial(_messages, task_ids))


_IN_HAND = [state.value for state in IN_HAND]


def _having(
    connection: Connection, sources: Iterable[TaskQueue], task_types: Collection[str]
) -> Iterator[TaskQueue]:
    columns = table.c
    for source in sources:
        here = (columns.lane == source.lane) & (columns.priority == source.priority.value)
        # What an agent has in hand comes back to the same queue where the agent is lost.
        running = sa.select(columns.task_type).where(here, columns.state.in_(_IN_HAND))
        waiting = sa.select(columns.task_type).where(here, QUEUED)
        found = connection.execute(waiting.union(running)).scalars()
        if not set(task_types).isdisjoint(found):
            yield source


def _messages(task_ids: Collection[str], connection: Connection) -> dict[str, set[str]]:
    events = schema.events.c
    found: dict[str, set[str]] = {}
    for ids in chunks(task_ids):
        query = sa.select(events.subject, events.id).where(
            events.subject.in_(ids), events.type == TaskSubmitted.TYPE
        )
        for row in connection.execute(query):
            found.setdefault(row.subject, set()).add(row.id)
    return found
