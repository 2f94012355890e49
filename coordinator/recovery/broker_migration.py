"""Puts the queued tasks of a broker that was given up on the new one, once each.

    noted in the ledger: what it had by then ─▶ the new broker ─▶ queued, and no newer message in the log
                                                                     ─▶ published again, the same attempt

Whatever the log tells has a place in the ledger's order, so a task that was put on its queue again has
a newer message than the note. Killed anywhere, the next coordinator goes on with the others. What was
running is decided by `LostAttempts`; what is scheduled or waits for a retry is in the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import NoReturn, Protocol

from coordinator.broker.connection import Link
from coordinator.broker.name_lock import held
from coordinator.domain.task import Task
from coordinator.errors import ChannelLost, OperatorError, QueueLocked, Unavailable
from coordinator.protocol.topology import RECONCILING

from .task_republisher import QueuedTask, TaskRepublisher

__all__ = ["BrokerMigration"]

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two rounds, while some are left."""


class FindsLeftBehind(Protocol):
    """`registry.upkeep.former_broker_tasks.FindsLeftBehind`."""

    async def any_broker(self) -> bool:
        """Whether a broker was given up, and its tasks are not all on the new one yet."""

    async def after(self, last: Task | None) -> Sequence[QueuedTask]:
        """The next that are queued and on no queue, in the order of their submission."""

    async def done(self) -> None:
        """All are where they should be."""


class BrokerMigration:
    """Run `session` with `Connection.keep`, after the sources were restored.

    ``catch_up`` is `read_barrier.ReadBarrier.ledger`; ``in_hand`` tells the tasks, with their
    generations, that agents say they are working on: those are left to them, until they say no more.
    """

    def __init__(
        self,
        *,
        left: FindsLeftBehind,
        puts: TaskRepublisher,
        catch_up: Callable[[], Awaitable[None]],
        in_hand: Callable[[], Collection[tuple[str, int]]],
    ) -> None:
        self._left = left
        self._puts = puts
        self._catch_up = catch_up
        self._in_hand = in_hand

    async def session(self, link: Link) -> NoReturn:
        while link.open:
            if await self._nothing_left(link):
                break
            await asyncio.sleep(PAUSE)
        await link.closed()
        raise ChannelLost

    async def _nothing_left(self, link: Link) -> bool:
        try:
            if not await self._left.any_broker():
                return True
            async with held(link, RECONCILING, patience=PAUSE):
                return await self._round()
        except QueueLocked:
            return False  # another coordinator does it
        except (Unavailable, OperatorError) as exc:
            logger.info("tasks of the former broker wait", extra={"why": str(exc)})
            return False

    async def _round(self) -> bool:
        """Whether none was left to be put on its queue, or to be waited for."""
        await self._catch_up()
        in_hand = self._in_hand()
        last: Task | None = None
        put = waiting = 0
        while found := await self._left.after(last):
            last = found[-1].task
            free = [one for one in found if (one.task.task_id, one.task.generation) not in in_hand]
            put += await self._puts.put(free)
            waiting += len(found)
        if put:
            logger.warning("tasks of the former broker are on this one", extra={"tasks": put})
        if not waiting:
            await self._left.done()
        return not waiting
