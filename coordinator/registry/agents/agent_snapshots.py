"""Agents between memory and the ledger: read at the start and compared since, written in bulk now and
then.

What is kept of a heartbeat is how long the agent had been silent when it was written: time in which
no coordinator listened is not counted as an agent's silence. What was said about an agent is in force
here as soon as it is heard, and replaced by what the ledger made of it (`heard_statements`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa
from pydantic_core import from_json, to_json
from sqlalchemy.engine import Connection, Row

from coordinator.errors import LedgerUnavailable, Unavailable
from coordinator.protocol.messages.events import AgentHeartbeat, Event
from coordinator.registry.agents.in_memory.known_agent import KnownAgent
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.agent_rows import agent_of
from coordinator.registry.tables.bulk_statements import find
from coordinator.registry.tables.event_rows import Identity, identity
from coordinator.registry.tables.event_rows import known as stored_of
from coordinator.registry.tables.schema import agents as table
from coordinator.registry.tables.schema import from_micros, micros
from coordinator.registry.tables.unreadable_rows import readable

__all__ = ["SNAPSHOT_INTERVAL", "AgentSnapshots"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

SNAPSHOT_INTERVAL = timedelta(seconds=20)

ROWS = 5000
"""Read, or written, in one transaction: not all of a large fleet is twice in memory, and the projector
gets its turns."""

SETTLING = 1.0
"""Seconds between two looks for what was heard and is in the ledger by now."""

LOST_AFTER = timedelta(seconds=30)
"""After which it is asked whether what was heard is in the log at all."""

AT_ONCE = 500
"""Agents taken in, or made ready to be written, before other work on the event loop has its turn."""


class AgentSnapshots:
    """`restore` first, `run` meanwhile, `write` at the end.

    ``catch_up`` is `ReadBarrier.ledger`, with which a statement is told that was heard and parked, say,
    and never stored.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        agents: LiveAgents,
        interval: timedelta = SNAPSHOT_INTERVAL,
        catch_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._ledger = ledger
        self._agents = agents
        self._interval = interval.total_seconds()
        self._catch_up = catch_up
        self._one_at_a_time = asyncio.Lock()
        """No older state of the ledger is taken in after a newer one."""

    async def restore(self) -> None:
        """Have every agent as the ledger has it, with what was heard since. Raises
        `LedgerUnavailable`.
        """
        async with self._one_at_a_time:
            there: set[str] = set()
            last = ""
            while page := await self._ledger.read(partial(_statements_after, last)):
                last = page[-1].agent_id
                there.update(row.agent_id for row in page)
                # All of them at the start; few or none when this is asked again.
                newer = [row.agent_id for row in page if not self._has(row)]
                await self._take_in(newer)
            await self._take_in(sorted(self._agents.statements.folded_ids() - there))

    async def settle(self) -> None:
        """Have those agents as the ledger has them of whom something was heard. Raises
        `LedgerUnavailable`.
        """
        async with self._one_at_a_time:
            await self._settle(self._agents.statements.waiting())
            long = self._agents.statements.waiting(longer_than=LOST_AFTER)
            if not long or self._catch_up is None:
                return
            try:
                await self._catch_up()
            except Unavailable:
                return  # it may be in the log still
            await self._settle(long, certain=True)

    async def _settle(self, heard: Sequence[Event], *, certain: bool = False) -> None:
        about = list(dict.fromkeys(event.data.subject for event in heard))
        lost = {identity(event) for event in heard} if certain else set[Identity]()
        for start in range(0, len(about), ROWS):
            await self._take_in(about[start : start + ROWS], lost)

    async def _take_in(
        self, agent_ids: Sequence[str], lost: Iterable[Identity] = frozenset()
    ) -> None:
        """These, with what of them was heard and is stored by now, or is ``lost``."""
        if not agent_ids:
            return
        heard = self._agents.statements.waiting_of(agent_ids)
        rows, stored = await self._ledger.read(partial(_as_folded, agent_ids, heard))
        done = _by_agent(one for one in heard if identity(one) in stored or identity(one) in lost)
        for some in _few(agent_ids):
            for agent_id in some:
                row, told = rows.get(agent_id), done.get(agent_id, ())
                # Who cannot be read is as good as not registered.
                kept = None if row is None else next(readable([row], _kept, table), None)
                if kept is None:
                    self._agents.settle(agent_id, None, told)
                else:
                    self._agents.restore(**kept, done=told)
            await asyncio.sleep(0)
        self._agents.restored()

    async def run(self) -> NoReturn:
        """Write what changed every ``interval``, then look for what was missed; ends only by
        cancellation.
        """
        loop = asyncio.get_running_loop()
        written = loop.time()
        while True:
            await asyncio.sleep(min(SETTLING, self._interval))
            due = loop.time() - written >= self._interval
            if due:
                written = loop.time()
            try:
                await self.settle()
                if due:
                    await self.write()
                    await self.restore()
            except LedgerUnavailable as exc:
                if due:
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
            for one in changed:
                one.changed = True  # the next time, then
            raise

    def _has(self, row: Row[str, str]) -> bool:
        agent = self._agents.statements.folded(row.agent_id)
        return agent is not None and agent.statement == row.statement

    def _row_of(self, known: KnownAgent) -> dict[str, Any]:
        beat, load, skew = known.heartbeat, known.load_metrics, known.clock_skew
        return {
            "this_agent": known.agent_id,
            "heartbeat": None if beat is None else beat.model_dump_json(exclude_none=True),
            "load_metrics": None if load is None else to_json(load).decode(),
            "heard_at": micros(known.heard_at),
            "silence": self._agents.silence(known) // timedelta(microseconds=1),
            "clock_skew": None if skew is None else skew // timedelta(microseconds=1),
        }


def _few(things: Sequence[T]) -> Iterator[Sequence[T]]:
    return (things[start : start + AT_ONCE] for start in range(0, len(things), AT_ONCE))


def _statements_after(agent_id: str, connection: Connection) -> Sequence[Row[str, str]]:
    """What made them what they are: a third of the time that it takes to read all that they say."""
    query = sa.select(table.c.agent_id, table.c.statement)
    query = query.where(table.c.agent_id > agent_id).order_by(table.c.agent_id)
    return connection.execute(query.limit(ROWS)).all()


def _as_folded(
    agent_ids: Sequence[str], heard: Sequence[Event], connection: Connection
) -> tuple[dict[str, Row[Any]], set[Identity]]:
    """The agents, and which of the events are in them: of the same moment."""
    rows = find(connection, tuple(table.c), table.c.agent_id, agent_ids)
    return {row.agent_id: row for row in rows}, stored_of(connection, heard)


def _by_agent(events: Iterable[Event]) -> dict[str, list[Identity]]:
    found: dict[str, list[Identity]] = {}
    for event in events:
        found.setdefault(event.data.subject, []).append(identity(event))
    return found


def _write(rows: list[dict[str, Any]], connection: Connection) -> None:
    """Of agents that the ledger does not have yet, nothing is kept until the next time."""
    update = table.update().where(table.c.agent_id == sa.bindparam("this_agent"))
    columns = ("heartbeat", "load_metrics", "heard_at", "silence", "clock_skew")
    connection.execute(update.values({name: sa.bindparam(name) for name in columns}), rows)


def _kept(row: Row[Any]) -> dict[str, Any]:
    """What `LiveAgents.restore` is given of an agent."""
    heartbeat, load_metrics = next(readable([row], _heard, table), (None, None))
    return {
        "agent": agent_of(row),
        "heartbeat": heartbeat,
        "load_metrics": load_metrics,
        "heard_at": from_micros(row.heard_at),
        "silence": timedelta(microseconds=row.silence),
        "clock_skew": _duration(row.clock_skew),
    }


def _heard(row: Row[Any]) -> tuple[AgentHeartbeat | None, Any]:
    """What its heartbeats told: an agent does without where that cannot be read."""
    beat = row.heartbeat
    return (
        None if beat is None else AgentHeartbeat.model_validate_json(beat),
        None if row.load_metrics is None else from_json(row.load_metrics),
    )


def _duration(micros: int | None) -> timedelta | None:
    return None if micros is None else timedelta(microseconds=micros)
