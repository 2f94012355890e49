"""Agents between memory and the ledger: read at the start, written in bulk now and then.

What is kept of a heartbeat is how long the agent had been silent when it was written: time in which
no coordinator listened is not counted as an agent's silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.errors import LedgerUnavailable
from coordinator.protocol.events import AgentHeartbeat

from .agent_rows import agent_of
from .known_agent import KnownAgent
from .ledger import Ledger
from .live_agents import LiveAgents
from .schema import agents as table
from .schema import from_micros, micros

__all__ = ["SNAPSHOT_INTERVAL", "Snapshots"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

SNAPSHOT_INTERVAL = timedelta(seconds=20)

ROWS = 5000
"""Read, or written, in one transaction: not all of a large fleet is twice in memory, and the projector
gets its turns."""

AT_ONCE = 500
"""Agents taken in, or made ready to be written, before other work on the event loop has its turn."""


class Snapshots:
    """`restore` first, `run` meanwhile, `write` at the end."""

    def __init__(
        self, *, ledger: Ledger, agents: LiveAgents, interval: timedelta = SNAPSHOT_INTERVAL
    ) -> None:
        self._ledger = ledger
        self._agents = agents
        self._interval = interval.total_seconds()

    async def restore(self) -> None:
        """Take every agent of the ledger into memory. Raises `LedgerUnavailable`."""
        last = ""
        while page := await self._ledger.read(partial(_statements_after, last)):
            last = page[-1].agent_id
            # All of them at the start; few or none when this is asked again.
            newer = [row.agent_id for row in page if not self._has(row)]
            if newer:
                await self._restore_all(newer)
        self._agents.restored()

    async def _restore_all(self, agent_ids: Sequence[str]) -> None:
        rows = await self._ledger.read(partial(_agents_between, agent_ids[0], agent_ids[-1]))
        wanted = frozenset(agent_ids)
        for some in _few(rows):
            for row in some:
                if row.agent_id in wanted:
                    self._restore(row)
            await asyncio.sleep(0)

    async def run(self) -> NoReturn:
        """Write what changed every ``interval``; ends only by cancellation."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.write()
            except LedgerUnavailable as exc:
                logger.warning("no snapshot of the agents: %s", exc)

    async def write(self) -> None:
        """Write what changed since the last time. Raises `LedgerUnavailable`."""
        # In the order of their ids, as the projector has them: who locks rows in another order than
        # others may find that each waits for the other.
        changed = sorted(self._agents.changed(), key=lambda known: known.agent_id)
        for start in range(0, len(changed), ROWS):
            rows: list[dict[str, Any]] = []
            for some in _few(changed[start : start + ROWS]):
                rows += (self._row_of(known) for known in some if known.agent_id in self._agents)
                await asyncio.sleep(0)
            if rows:
                await self._write(rows, changed[start:])

    async def _write(self, rows: list[dict[str, Any]], changed: Iterable[KnownAgent]) -> None:
        try:
            await self._ledger.write(partial(_write, rows))
        except LedgerUnavailable:
            for known in changed:
                known.changed = True  # the next time, then
            raise

    def _has(self, row: Row[str, int, int]) -> bool:
        return row.agent_id in self._agents and self._agents.has(
            row.agent_id,
            stated_at=from_micros(row.stated_at),
            declared_at=from_micros(row.declared_at),
        )

    def _restore(self, row: Row[Any]) -> None:
        self._agents.restore(
            agent_of(row),
            heartbeat=_heartbeat(row),
            load_metrics=None if row.load_metrics is None else from_json(row.load_metrics),
            heard_at=from_micros(row.heard_at),
            silence=timedelta(microseconds=row.silence),
        )

    def _row_of(self, known: KnownAgent) -> dict[str, Any]:
        beat, load = known.heartbeat, known.load_metrics
        return {
            "this_agent": known.agent_id,
            "heartbeat": None if beat is None else beat.model_dump_json(exclude_none=True),
            "load_metrics": None if load is None else to_json(load).decode(),
            "heard_at": micros(known.heard_at),
            "silence": self._agents.silence(known) // timedelta(microseconds=1),
        }


def _few(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + AT_ONCE] for start in range(0, len(things), AT_ONCE))


def _statements_after(agent_id: str, connection: Connection) -> Sequence[Row[str, int, int]]:
    """When they were made: a third of the time that it takes to read all that they say."""
    query = sa.select(table.c.agent_id, table.c.stated_at, table.c.declared_at)
    query = query.where(table.c.agent_id > agent_id).order_by(table.c.agent_id)
    return connection.execute(query.limit(ROWS)).all()


def _agents_between(first: str, last: str, connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(sa.select(table).where(table.c.agent_id.between(first, last))).all()


def _write(rows: list[dict[str, Any]], connection: Connection) -> None:
    """Of agents that the ledger does not have yet, nothing is kept until the next time."""
    update = table.update().where(table.c.agent_id == sa.bindparam("this_agent"))
    columns = ("heartbeat", "load_metrics", "heard_at", "silence")
    connection.execute(update.values({name: sa.bindparam(name) for name in columns}), rows)


def _heartbeat(row: Row[Any]) -> AgentHeartbeat | None:
    return None if row.heartbeat is None else AgentHeartbeat.model_validate_json(row.heartbeat)
