"""Reads which tasks stand in a lane without a type, though an agent has announced theirs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from coordinator.domain.task import State
from coordinator.protocol.lanes import Source

from .event_rows import chunks
from .ledger import Ledger
from .schema import QUEUED
from .schema import tasks as table

__all__ = ["Published", "UntypedTasks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The newest message of a task that is known."""

    lane: str
    attempt: tuple[int, int]
    """Generation and attempt."""


class UntypedTasks:
    """Reads whole queues: not for the hot path. Each method raises `LedgerUnavailable`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def sources(self, sources: Iterable[Source], task_types: Collection[str]) -> list[Source]:
        """Those of ``sources`` in which a task of one of these types stands, in the same order."""
        return await self._ledger.read(
            lambda connection: list(_having(connection, sources, task_types))
        )

    async def announced(self) -> set[str]:
        """The types that any agent ever announced."""
        return await self._ledger.announced_types()

    async def published(self, task_ids: Collection[str]) -> dict[str, Published]:
        """Where the newest message is of each task that the ledger has."""
        return await self._ledger.read(partial(_published, task_ids))


def _having(
    connection: Connection, sources: Iterable[Source], task_types: Collection[str]
) -> Iterator[Source]:
    columns = table.c
    for source in sources:
        here = (columns.lane == source.lane) & (columns.priority == source.priority.value)
        # What an agent has in hand comes back to the same queue where the agent is lost.
        running = sa.select(columns.task_type).where(here, columns.state == State.RUNNING.value)
        waiting = sa.select(columns.task_type).where(here, QUEUED)
        found = connection.execute(waiting.union(running)).scalars()
        if not set(task_types).isdisjoint(found):
            yield source


def _published(task_ids: Collection[str], connection: Connection) -> dict[str, Published]:
    columns = table.c
    found: dict[str, Published] = {}
    for ids in chunks(task_ids):
        query = sa.select(
            columns.task_id, columns.lane, columns.generation, columns.published
        ).where(columns.task_id.in_(ids), columns.lane.is_not(None))
        for row in connection.execute(query):
            attempt = (row.generation, row.published)
            found[row.task_id] = Published(lane=row.lane, attempt=attempt)
    return found
