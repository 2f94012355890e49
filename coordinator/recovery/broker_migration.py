"""Puts the queued tasks of a broker that was given up on the new one, once each.

    noted in the ledger: what it had by then ─▶ the new broker ─▶ queued, and no newer message in the log
                                                                     ─▶ published again, the same attempt

Whatever the log tells has a place in the ledger's order, so a task that was put on its queue again has
a newer message than the note. Killed anywhere, the next coordinator goes on with the others. What was
running is decided by `LostAttemptFinder`; what is scheduled or waits for a retry is in the outbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import NoReturn, Protocol

from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Link
from coordinator.domain.task import Task
from coordinator.errors import ChannelLost, OperatorError, QueueLocked, Unavailable
from coordinator.protocol.topology import RECONCILING

from .ports import CatchesUp, ListsTasksInHand
from .task_republisher import QueuedTask, TaskRepublisher

__all__ = ["BrokerMigration"]

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two rounds, while some are left."""


class FindsLeftBehind(Protocol):
    """Reads the tasks that a broker which was given up had:
    `registry.upkeep.former_broker_tasks.FormerBrokerTasks`. Everything raises `LedgerUnavailable`.
    """

    async def any_broker(self) -> bool:
        """Whether a broker was given up, and its tasks are not all on the new one yet."""

    async def after(self, last: Task | None) -> Sequence[QueuedTask]:
        """The next after ``last`` that are queued and on no queue, in the order of their submission; None
        begins with the first, and none found is the end.
        """

    async def done(self) -> None:
        """All are where they should be: forget the note."""


class BrokerMigration:
    """Publishes what the former broker left behind, in rounds, until nothing is left. Run `session` with
    `Connection.keep`, after the task queues were restored.

    Tasks ``in_hand`` are left to their agents, until those name them no more. ``pause``: seconds between two
    rounds.
    """

    def __init__(
        self,
        *,
        left: FindsLeftBehind,
        puts: TaskRepublisher,
        catch_up: CatchesUp,
        in_hand: ListsTasksInHand,
        pause: float = PAUSE,
    ) -> None:
        self._left = left
        self._puts = puts
        self._catch_up = catch_up
        self._in_hand = in_hand
        self._pause = pause

    async def session(self, link: Link) -> NoReturn:
        """Works until nothing is left, and then waits. Raises `ChannelLost` when the link is closed."""
        while link.open:
            if await self._nothing_left(link):
                break
            await asyncio.sleep(self._pause)
        await link.closed()
        raise ChannelLost

    async def _nothing_left(self, link: Link) -> bool:
        try:
            if not await self._left.any_broker():
                return True
            async with held(link, RECONCILING, patience=self._pause):
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
            free = [one for one in found if not one.task.is_in(in_hand)]
            put += await self._puts.put(free)
            waiting += len(found)
        if put:
            logger.warning("tasks of the former broker are on this one", extra={"tasks": put})
        if not waiting:
            await self._left.done()
        return not waiting
