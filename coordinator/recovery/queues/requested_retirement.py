"""Retires a lane because an operator asks for it: at once, and not while it has a task.

    asked ─▶ no unfinished task ─▶ source.retired ─▶ answered
                                        └─▶ a pause ─▶ deleted, or opened again

Messages of tasks that have ended go with the queue: where no agent serves it, nobody else takes them.
What follows the answer, and why no task is lost in between, is `queue_retirement`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn

from coordinator.broker.connection import Link
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import (
    BrokerUnavailable,
    LaneNotFound,
    OperatorError,
    Unavailable,
    WrongState,
)
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.recovery.ports import CatchesUp

from .queue_retirement import FindsIdle, QueueRetirement

__all__ = ["RequestedRetirement"]

logger = logging.getLogger(__name__)

AGAIN = 1.0
"""Seconds before a queue that could not be deleted now is tried again."""


class RequestedRetirement:
    """Retires lanes over the link of the moment; `run` deletes their queues afterwards."""

    def __init__(
        self,
        *,
        retirement: QueueRetirement,
        book: TaskQueues,
        idle: FindsIdle,
        catch_up: CatchesUp,
        link: Callable[[], Link | None],
    ) -> None:
        self._retirement = retirement
        self._book = book
        self._idle = idle
        self._catch_up = catch_up
        self._link = link
        self._asked = asyncio.Event()

    async def retire(self, lane: str) -> list[TaskQueue]:
        """Forget the lane everywhere; the queues that are deleted next. Raises `LaneNotFound`, `WrongState`
        where it has a task, or `Unavailable`.
        """
        queues = self._open_queues(lane)
        if self._link() is None:
            raise BrokerUnavailable
        await self._catch_up()
        busy = [one.queue for one in queues if (await self._idle.standing(one)).unfinished]
        if busy:
            raise WrongState(
                f"The lane {lane!r} has tasks that have not ended, on {', '.join(busy)}: let them end, or"
                " cancel them (POST /tasks/<task_id>/cancel), and retire it then"
            )
        for task_queue in queues:
            await self._retirement.retire(
                task_queue, self._book.requirements(task_queue), abandoned=True
            )
        self._asked.set()
        logger.info("a lane was retired by request", extra={"lane": lane})
        return queues

    async def run(self) -> NoReturn:
        """Deletes what was retired, a pause after that. Ends only by cancellation."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            link = self._link()
            try:
                if link is None:
                    raise BrokerUnavailable
                await self._retirement.remove_retired(link)
            except (Unavailable, OperatorError) as exc:
                logger.info("retired queues are not deleted now", extra={"why": str(exc)})
                self._asked.set()
                await asyncio.sleep(AGAIN)

    def _open_queues(self, lane: str) -> list[TaskQueue]:
        every = (TaskQueue(lane, priority) for priority in Priority)
        queues = [task_queue for task_queue in every if task_queue in self._book]
        if not queues:
            raise LaneNotFound
        if self._book.requirements(queues[0]).empty:
            raise WrongState(f"The lane {lane!r} is open to all tasks, and stays")
        return queues
