"""Restores agents from the ledger at the start, compares them with it since, and writes them in bulk now
and then.

What is kept of a heartbeat is how long the agent had been silent when it was written: time in which
no coordinator heard agents is not counted as an agent's silence. What was said about an agent is in force
here as soon as it is heard, and replaced by what the ledger made of it (`unfolded_statements`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NoReturn, TypeVar

from sqlalchemy.engine import Row

from coordinator.errors import LedgerUnavailable, Unavailable
from coordinator.protocol.messages.events import Event
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.event_rows import Identity, identity

from .agent_snapshot_rows import (
    as_folded,
    restored_from,
    snapshot_row,
    statements_after,
    write_snapshots,
)
from .in_memory.known_agent import KnownAgent
from .in_memory.live_agents import LiveAgents

__all__ = ["SNAPSHOT_INTERVAL", "AgentSnapshots"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

SNAPSHOT_INTERVAL = timedelta(seconds=20)

ROWS = 5000
"""Read, or written, in one transaction: not all of a large fleet is twice in memory, and the projector
gets its turns."""

SETTLE_EVERY = timedelta(seconds=1)
"""Between two looks for what was heard and is in the ledger by now."""

LOST_AFTER = timedelta(seconds=30)
"""After which it is asked whether what was heard is in the log at all."""

AT_ONCE = 500
"""Agents taken in, or made ready to be written, before other work on the event loop has its turn."""


class AgentSnapshots:
    """`restore` first, `run` meanwhile, `write` at the end."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        agents: LiveAgents,
        interval: timedelta = SNAPSHOT_INTERVAL,
        catch_up: Callable[[], Awaitable[None]] | None = None,
        settle_every: timedelta = SETTLE_EVERY,
        rows: int = ROWS,
        at_once: int = AT_ONCE,
        writes: bool = True,
    ) -> None:
        """``catch_up`` is `ReadBarrier.ledger`: it returns once the ledger has all that was confirmed
        before, and raises `Unavailable`. With it a statement is told that was heard and parked, say,
        and never stored. Without ``writes``, `run` leaves writing to another process, which hears the
        same agents.
        """
        self._ledger = ledger
        self._agents = agents
        self._interval = interval.total_seconds()
        self._catch_up = catch_up
        self._settle_every = settle_every.total_seconds()
        self._rows = rows
        self._at_once = at_once
        self._writes = writes
        self._one_at_a_time = asyncio.Lock()
        """No older state of the ledger is taken in after a newer one."""

    async def restore(self) -> None:
        """Have every agent as the ledger has it, with what was heard since. Raises
        `LedgerUnavailable`.
        """
        async with self._one_at_a_time:
            there: set[str] = set()
            last = ""
            while page := await self._ledger.read(partial(statements_after, last, self._rows)):
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
        for start in range(0, len(about), self._rows):
            await self._take_in(about[start : start + self._rows], lost)

    async def _take_in(
        self, agent_ids: Sequence[str], lost: Iterable[Identity] = frozenset()
    ) -> None:
        """These, with what of them was heard and is stored by now, or is ``lost``."""
        if not agent_ids:
            return
        heard = self._agents.statements.waiting_of(agent_ids)
        rows, stored = await self._ledger.read(partial(as_folded, agent_ids, heard))
        done = _by_agent(one for one in heard if identity(one) in stored or identity(one) in lost)
        for some in self._few(agent_ids):
            for agent_id in some:
                row, told = rows.get(agent_id), done.get(agent_id, ())
                # Who cannot be read is as good as not registered.
                kept = None if row is None else restored_from(row)
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
            await asyncio.sleep(min(self._settle_every, self._interval))
            due = loop.time() - written >= self._interval
            if due:
                written = loop.time()
            try:
                await self.settle()
                if due:
                    if self._writes:
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
        for start in range(0, len(changed), self._rows):
            rows: list[dict[str, Any]] = []
            for some in self._few(changed[start : start + self._rows]):
                rows += (
                    snapshot_row(known, self._agents.silence(known))
                    for known in some
                    if known.agent_id in self._agents
                )
                await asyncio.sleep(0)
            if rows:
                await self._write(rows, changed[start:])

    async def _write(self, rows: list[dict[str, Any]], changed: Iterable[KnownAgent]) -> None:
        try:
            await self._ledger.write(partial(write_snapshots, rows))
        except LedgerUnavailable:
            for one in changed:
                one.changed = True  # the next time, then
            raise

    def _has(self, row: Row[str, str]) -> bool:
        agent = self._agents.statements.folded(row.agent_id)
        return agent is not None and agent.statement == row.statement

    def _few(self, things: Sequence[T]) -> Iterator[Sequence[T]]:
        most = self._at_once
        return (things[start : start + most] for start in range(0, len(things), most))


def _by_agent(events: Iterable[Event]) -> dict[str, list[Identity]]:
    found: dict[str, list[Identity]] = {}
    for event in events:
        found.setdefault(event.data.subject, []).append(identity(event))
    return found
