"""Finds tasks that are `queued` and on no queue, and puts them there again.

A queue that was purged or deleted by hand takes its tasks with it, and the broker tells nobody. What
tells is that later tasks of the same queue start:

    overtaken, long ago ─▶ and still: more that came later have started, or the queue is empty
                              ─▶ in no agent's hands ─▶ published again, the same attempt

A queue is served in order, and what comes back to it comes back to its head. The decision, and what
remains uncertain: docs/decisions/0012. The message is a new one in the log, too, so that it has a
place in the order, and the timeline tells of it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from coordinator.broker.connection import Link
from coordinator.broker.ports import ReadsQueueDepths
from coordinator.protocol.task_queue import TaskQueue

from .doubted_tasks import DoubtedTasks
from .empty_queue_check import is_empty
from .ports import CatchesUp, ListsTasksInHand
from .task_republisher import QueuedTask, TaskRepublisher, queue_of

__all__ = ["Reconciler"]

logger = logging.getLogger(__name__)


class OvertakenTask(QueuedTask, Protocol):
    """A queued task that a later one of its queue has overtaken:
    `registry.upkeep.missing_tasks.MissingTask`.
    """

    @property
    def position(self) -> int:
        """Where in the log its newest message was."""

    @property
    def passed(self) -> int:
        """Where in the log the message was of the newest task of its queue that has started."""


class FindsOvertaken(Protocol):
    """Reads the queued tasks that others have overtaken: `registry.upkeep.missing_tasks.MissingTasks`."""

    async def look(self, doubted: Sequence[str] = ()) -> Sequence[OvertakenTask]:
        """All of them, and those of the ``doubted`` that are queued, overtaken or not. Raises
        `LedgerUnavailable`.
        """


Key = tuple[str, int, int, int]
"""Task, generation, attempt, and where in the log its newest message was."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """When a task was first found to be overtaken, and what had passed it by then."""

    at: float
    passed: int


class Reconciler:
    """Puts overtaken tasks on their queue again: one of the looks of `ExclusiveRounds`.

    A task is taken to be missing ``after`` it was overtaken for so long; zero is never. One of the
    ``doubted`` need not be overtaken, since an empty queue says as much of it. ``monotonic``: a clock in
    seconds that is never set.
    """

    def __init__(
        self,
        *,
        overtaken: FindsOvertaken,
        depths: ReadsQueueDepths,
        puts: TaskRepublisher,
        catch_up: CatchesUp,
        in_hand: ListsTasksInHand,
        after: timedelta,
        doubted: DoubtedTasks,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._overtaken = overtaken
        self._depths = depths
        self._puts = puts
        self._catch_up = catch_up
        self._in_hand = in_hand
        self._after = after.total_seconds()
        self._doubted = doubted
        self._monotonic = monotonic
        self._seen: dict[Key, _Seen] = {}

    @property
    def interval(self) -> float:
        """Seconds between two looks; 0 is never."""
        return self._after / 2

    async def look(self, link: Link) -> int:
        """One round; how many tasks were put on their queue again. Raises `Unavailable`."""
        doubted = self._doubted.all()
        await self._catch_up()
        found = {_key(one): one for one in await self._overtaken.look(doubted)}
        self._doubted.keep({one.task.task_id for one in found.values()}, of=doubted)
        now = self._monotonic()
        self._seen = {
            key: self._seen.get(key) or _Seen(now, one.passed) for key, one in found.items()
        }
        in_hand = self._in_hand()
        lost: dict[TaskQueue, list[OvertakenTask]] = {}
        for key, one in found.items():
            task = one.task
            long_ago = now - self._seen[key].at >= self._after
            if long_ago and not task.is_in(in_hand):
                lost.setdefault(queue_of(task), []).append(one)
        return sum(
            [await self._look_at(link, task_queue, ones) for task_queue, ones in lost.items()]
        )

    async def _look_at(self, link: Link, task_queue: TaskQueue, ones: list[OvertakenTask]) -> int:
        """Those of a queue that were overtaken long ago."""
        passed_on = [one for one in ones if one.passed > self._seen[_key(one)].passed]
        if len(passed_on) < len(ones) and await is_empty(link, self._depths, task_queue.queue):
            passed_on = ones
        if passed_on:
            put = await self._puts.put(passed_on)  # the next round looks again at the others
            logger.warning(
                "tasks were missing from their queue and were put there again",
                extra={"queue": task_queue.queue, "tasks": put},
            )
        return len(passed_on)


def _key(one: OvertakenTask) -> Key:
    return one.task.task_id, one.task.generation, one.task.attempt, one.position
