"""Agents between memory and the ledger: read at the start, written in bulk now and then.

What is kept of a heartbeat is how long the agent had been silent when it was written: time in which
no coordinator listened is not counted as an agent's silence.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any, NoReturn

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

logger = logging.getLogger(__name__)

SNAPSHOT_INTERVAL = timedelta(seconds=20)

ROWS = 5000
"""Written in one transaction, so that the projector gets its turns."""

RESTORED_AT_ONCE = 500
"""Agents taken in before other work on the event loop has its turn."""


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
        rows = iter(await self._ledger.read(_agents))
        while some := list(islice(rows, RESTORED_AT_ONCE)):
            for row in some:
                self._agents.restore(
                    agent_of(row),
                    heartbeat=_heartbeat(row),
                    load_metrics=None if row.load_metrics is None else from_json(row.load_metrics),
                    heard_at=from_micros(row.heard_at),
                    silence=timedelta(microseconds=row.silence),
                )
            await asyncio.sleep(0)
        self._agents.restored()

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
        rows = [self._row_of(known) for known in changed]
        for start in range(0, len(rows), ROWS):
            await self._ledger.write(partial(_write, rows[start : start + ROWS]))

    def _row_of(self, known: KnownAgent) -> dict[str, Any]:
        beat, load = known.heartbeat, known.load_metrics
        return {
            "this_agent": known.agent_id,
            "heartbeat": None if beat is None else beat.model_dump_json(exclude_none=True),
            "load_metrics": None if load is None else to_json(load).decode(),
            "heard_at": micros(known.heard_at),
            "silence": self._agents.silence(known) // timedelta(microseconds=1),
        }


def _agents(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(sa.select(table)).all()


def _write(rows: list[dict[str, Any]], connection: Connection) -> None:
    """Of agents that the ledger does not have yet, nothing is kept until the next time."""
    update = table.update().where(table.c.agent_id == sa.bindparam("this_agent"))
    columns = ("heartbeat", "load_metrics", "heard_at", "silence")
    connection.execute(update.values({name: sa.bindparam(name) for name in columns}), rows)


def _heartbeat(row: Row[Any]) -> AgentHeartbeat | None:
    return None if row.heartbeat is None else AgentHeartbeat.model_validate_json(row.heartbeat)
