"""Moves waiting tasks to the lane of their type, once an agent has announced it.

    announced ─▶ what waits is moved, in order ─▶ settled: submissions go to the lane of the type
                                                         ─▶ what came meanwhile is moved

A queue cannot be searched: it is read to its end, and each message is published again (`TaskRerouter`). The
decision: docs/decisions/0014.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NoReturn, Protocol

from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Link
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import (
    ChannelLost,
    OperatorError,
    Unavailable,
)
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import MOVING
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.ports import CatchesUp, ReopensQueue

from .task_rerouter import PublishesInOrder, TaskRerouter

__all__ = ["LaneMover"]

logger = logging.getLogger(__name__)

LOOK_EVERY = 60.0
"""Seconds between two looks while nothing is announced: an agent that was lost may have returned a task
to the queue that it was taken from, and a coordinator of an older version knows no types."""

LONGEST_PAUSE = 3600.0
"""Seconds between two looks at a queue that was read to its end in vain, doubled each time: each sends all
that waits there once more."""

FOLLOW_UPS = (1.0, 4.0, 15.0)
"""Seconds between the looks after a type was settled: a task whose lane was chosen before that may be
published later, once its queue is open and the broker answers."""

AGAIN = 1.0
"""Seconds before what could not be moved is tried again."""

PATIENCE = 5.0
"""Seconds to wait while another coordinator moves tasks."""


class FindsUntyped(Protocol):
    """Finds task queues that hold tasks of announced types:
    `registry.upkeep.tasks_in_untyped_lanes.TasksInUntypedLanes`. Everything raises `LedgerUnavailable`.
    """

    async def sources(
        self, sources: Iterable[TaskQueue], task_types: Collection[str]
    ) -> list[TaskQueue]:
        """Those of ``sources`` in which a task of one of these types waits, in the same order."""

    async def announced(self) -> set[str]:
        """The types that any agent ever announced."""

    async def messages(self, task_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        """The ids of the messages of each task that the ledger has, by task."""


class LaneMover:
    """Looks for task queues to move tasks from, and empties them. Run `session` with `Connection.keep`, after
    the task queues were restored.

    ``follow_ups``: seconds before each of the looks that follow a type that was settled. ``monotonic``: a
    clock in seconds that is never set.
    """

    def __init__(
        self,
        *,
        book: TaskQueues,
        types: AnnouncedTypes,
        waiting: FindsUntyped,
        ensure: ReopensQueue,
        publisher: PublishesInOrder,
        too_large: OversizedTasks,
        catch_up: CatchesUp,
        follow_ups: Sequence[float] = FOLLOW_UPS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._book = book
        self._types = types
        self._waiting = waiting
        self._rerouter = TaskRerouter(
            types=types,
            messages=waiting.messages,
            ensure=ensure,
            publisher=publisher,
            too_large=too_large,
        )
        self._catch_up = catch_up
        self._follow_ups = tuple(follow_ups)
        self._monotonic = monotonic
        self._fruitless: dict[TaskQueue, tuple[float, float]] = {}
        """Until when each queue is left alone, and for how long that is."""

    async def session(self, link: Link) -> NoReturn:
        """Moves tasks until the link is closed. Raises `ChannelLost` then."""
        follow_ups: list[float] = []
        while link.open:
            fresh = self._types.fresh
            if fresh or follow_ups:
                self._fruitless.clear()
            done = await self._try(link)
            # Whether or not all could be moved: order is lost then, and no task.
            self._types.settle(fresh)
            if fresh:
                self._fruitless.clear()
                done = await self._try(link) and done
                follow_ups = list(self._follow_ups)
            pause = AGAIN if not done else follow_ups.pop(0) if follow_ups else LOOK_EVERY
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._types.any_fresh()
        raise ChannelLost

    async def _try(self, link: Link) -> bool:
        try:
            return await self.look(link)
        except (Unavailable, OperatorError) as exc:
            if link.open:
                logger.info("tasks are not moved to their lanes now", extra={"why": str(exc)})
            return False

    async def look(self, link: Link) -> bool:
        """One round; whether all went where it belongs. Raises `Unavailable`."""
        await self._catch_up()
        # Of a registration that this process did not hear: between two connections, say.
        self._types.hear(await self._waiting.announced())
        untyped = [
            task_queue
            for task_queue in self._book.sources()
            if self._book.requirements(task_queue).task_type is None
        ]
        if not self._types.all or not untyped:
            return True
        found = [
            task_queue
            for task_queue in await self._waiting.sources(untyped, self._types.all)
            if self._is_due(task_queue)
        ]
        if not found:
            return True
        async with held(link, MOVING, patience=PATIENCE):
            # Whoever held the lock until now may have died after a publish that was not stored yet.
            await self._catch_up()
            return all([await self._empty(link, task_queue) for task_queue in found])

    async def _empty(self, link: Link, task_queue: TaskQueue) -> bool:
        passed = await self._rerouter.reroute(link, task_queue)
        if passed.moved or passed.refused:
            self._fruitless.pop(task_queue, None)
        else:  # what the ledger has there is in an agent's hands, say
            _, pause = self._fruitless.get(task_queue, (0.0, 0.0))
            pause = min(max(LOOK_EVERY, 2 * pause), LONGEST_PAUSE)
            self._fruitless[task_queue] = self._monotonic() + pause, pause
        if passed.moved:
            logger.info(
                "moved tasks to the lane of their type",
                extra={"queue": task_queue.queue, "moved": passed.moved},
            )
        return not passed.refused

    def _is_due(self, task_queue: TaskQueue) -> bool:
        until, _ = self._fruitless.get(task_queue, (0.0, 0.0))
        return self._monotonic() >= until
