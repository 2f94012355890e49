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

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from coordinator.broker.connection import Link
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task import Task
from coordinator.errors import CoordinatorError
from coordinator.protocol.lanes import Source
from coordinator.protocol.task import TaskMessage
from coordinator.protocol.token import task_token
from coordinator.protocol.topology import TASKS

from .emptiness import LooksAtQueues, is_empty
from .ports import Publishes, Reopen

__all__ = ["Reconciler"]

logger = logging.getLogger(__name__)

CHUNK = 200
"""Messages that are read and published at a time."""


class OvertakenTask(Protocol):
    """`registry.overtaken.Overtaken`."""

    @property
    def task(self) -> Task: ...
    @property
    def position(self) -> int: ...
    @property
    def passed(self) -> int: ...
    @property
    def republished(self) -> int: ...


class FindsOvertaken(Protocol):
    """`registry.overtaken.OvertakenTasks`."""

    async def look(self) -> Sequence[OvertakenTask]: ...

    async def messages(self, tasks: Sequence[Task]) -> dict[str, TaskMessage]: ...


Key = tuple[str, int, int, int]
"""Task, generation, attempt, and where in the log its newest message was."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """When a task was first found to be overtaken, and what had passed it by then."""

    at: float
    passed: int


class Reconciler:
    """One of the `Rounds`; ``after`` zero is never.

    ``catch_up`` is `registry.catching_up.CatchingUp.ledger`; ``in_hand`` tells the tasks, with their
    generations, that agents say they are working on.
    """

    def __init__(
        self,
        *,
        overtaken: FindsOvertaken,
        depths: LooksAtQueues,
        ensure: Reopen,
        publisher: Publishes,
        secret: bytes,
        types: AnnouncedTypes,
        catch_up: Callable[[], Awaitable[None]],
        in_hand: Callable[[], Collection[tuple[str, int]]],
        after: timedelta,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._overtaken = overtaken
        self._depths = depths
        self._ensure = ensure
        self._publisher = publisher
        self._secret = secret
        self._types = types
        self._catch_up = catch_up
        self._in_hand = in_hand
        self._after = after.total_seconds()
        self._monotonic = monotonic
        self._seen: dict[Key, _Seen] = {}

    @property
    def interval(self) -> float:
        return self._after / 2

    async def look(self, link: Link) -> int:
        """One round; how many tasks were put on their queue again. Raises `Unavailable`."""
        await self._catch_up()
        found = {_key(one): one for one in await self._overtaken.look()}
        now = self._monotonic()
        self._seen = {
            key: self._seen.get(key) or _Seen(now, one.passed) for key, one in found.items()
        }
        in_hand = self._in_hand()
        lost: dict[Source, list[OvertakenTask]] = {}
        for key, one in found.items():
            task = one.task
            long_ago = now - self._seen[key].at >= self._after
            if long_ago and (task.task_id, task.generation) not in in_hand:
                lost.setdefault(_source(task), []).append(one)
        return sum([await self._look_at(link, source, ones) for source, ones in lost.items()])

    async def _look_at(self, link: Link, source: Source, ones: list[OvertakenTask]) -> int:
        """Those of a queue that were overtaken long ago."""
        passed_on = [one for one in ones if one.passed > self._seen[_key(one)].passed]
        if len(passed_on) < len(ones) and await is_empty(link, self._depths, source.queue):
            passed_on = ones
        for start in range(0, len(passed_on), CHUNK):
            await self._republish(source, passed_on[start : start + CHUNK])
        return len(passed_on)

    async def _republish(self, source: Source, ones: Sequence[OvertakenTask]) -> None:
        messages = await self._overtaken.messages([one.task for one in ones])
        again = [
            self._again(one, messages[one.task.task_id])
            for one in ones
            if one.task.task_id in messages  # what cannot be read any more cannot be sent
        ]
        for task in {one.source: one for one in again}.values():
            await self._ensure(task.source, task.wanted, again=True)
        ended = await asyncio.gather(
            *(
                self._publisher.publish(task.to_message(), exchange=TASKS, key=task.source.key)
                for task in again
            ),
            return_exceptions=True,
        )
        logger.warning(
            "tasks were missing from their queue and were put there again",
            extra={"queue": source.queue, "tasks": ended.count(None)},
        )
        for failure in ended:
            if isinstance(failure, CoordinatorError):
                logger.warning("one was not: %s", failure)  # the next round looks again
            elif failure is not None:
                raise failure

    def _again(self, one: OvertakenTask, message: TaskMessage) -> TaskMessage:
        task = one.task
        token = task_token(self._secret, task.task_id, task.generation, task.attempt)
        return self._types.route(
            message.model_copy(
                update={
                    "generation": task.generation,
                    "attempt": task.attempt,
                    "not_before": None,
                    "previous_progress": task.progress,
                    "republished": one.republished + 1,
                    "task_token": token,
                }
            )
        )


def _source(task: Task) -> Source:
    if task.lane is None or task.priority is None:
        raise ValueError(f"{task.task_id} is queued, and its queue is not known")
    return Source(task.lane, task.priority)


def _key(one: OvertakenTask) -> Key:
    return one.task.task_id, one.task.generation, one.task.attempt, one.position
