"""Moves waiting tasks to the lane of their type, once an agent has announced it.

    announced ─▶ what waits is moved, in order ─▶ settled: submissions go to the lane of the type
                                                         ─▶ what came meanwhile is moved

A queue cannot be searched: it is read to its end, and each message is published again before it is
acknowledged, to the lane of its type or to the end of the queue that it came from. Each has a number of
its own in the log (`republished`). Where a coordinator dies between, the next one finds in the ledger the
message that it would send, and drops the older one. The decision: docs/decisions/0014.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NoReturn, Protocol

from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Link
from coordinator.broker.name_lock import held
from coordinator.broker.publisher import Outgoing
from coordinator.broker.queue_drain import relay
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import (
    ChannelLost,
    CoordinatorError,
    MalformedMessage,
    MessageTooLarge,
    OperatorError,
    TooManyLanes,
    Unavailable,
)
from coordinator.protocol.messages.task_message import TASK_TYPE, TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import MOVING, TASKS, WORK
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.ports import CatchesUp, ReopensQueue

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
    """Finds task queues that hold tasks of announced types: `registry.upkeep.untyped_tasks.UntypedTasks`.
    Everything raises `LedgerUnavailable`.
    """

    async def sources(
        self, sources: Iterable[TaskQueue], task_types: Collection[str]
    ) -> list[TaskQueue]:
        """Those of ``sources`` in which a task of one of these types waits, in the same order."""

    async def announced(self) -> set[str]:
        """The types that any agent ever announced."""

    async def messages(self, task_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        """The ids of the messages of each task that the ledger has, by task."""


class PublishesInOrder(Protocol):
    """Publishes many messages, in their order: `broker.publisher.Publisher`."""

    async def publish_all(self, messages: Sequence[Outgoing]) -> Sequence[CoordinatorError | None]:
        """How each ended, in the same order; None for a confirm."""


@dataclass(slots=True)
class _Passed:
    """What became of the messages of a queue."""

    moved: int = 0
    """Sent to the lane of their type."""
    refused: int = 0
    """Not confirmed, and so still there."""


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
        self._ensure = ensure
        self._publisher = publisher
        self._too_large = too_large
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
        passed = _Passed()
        await relay(link, task_queue.queue, partial(self._send, task_queue, passed))
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

    async def _send(self, came: TaskQueue, passed: _Passed, batch: list[Delivery]) -> list[bool]:
        """Put each message on the queue that it belongs on; which of them may be acknowledged."""
        found = [self._again(delivery) for delivery in batch]
        known = await self._waiting.messages([task.task_id for task in found if task is not None])
        sending: list[Outgoing] = []
        places: list[int] = []
        opened: set[TaskQueue] = set()
        for place, (delivery, task) in enumerate(zip(batch, found, strict=True)):
            messages = () if task is None else known.get(task.task_id, ())
            if task is not None and task.message_id in messages:
                continue  # sent before, by a coordinator that could not acknowledge it any more
            if task is not None and task.wanted.task_type is not None:
                if task.source not in opened:
                    await self._open(task.source, task.wanted)
                    opened.add(task.source)
                sending.append(Outgoing(task.to_message(), TASKS, task.source.key))
                passed.moved += 1
            elif task is not None and messages:
                # Through the log: else it looks overtaken by what was submitted meanwhile.
                sending.append(Outgoing(task.to_message(), TASKS, came.key))
            else:  # no task, or one that the ledger does not have, or has forgotten
                again = delivery.message.republished()
                sending.append(Outgoing(again, WORK, came.key, mandatory=True))
            places.append(place)
        gone = [True] * len(batch)
        ended = await self._publisher.publish_all(sending)
        for place, error in zip(places, ended, strict=True):
            gone[place] = error is None or await self._was_ended(found[place], error)
        passed.refused += gone.count(False)
        return gone

    async def _was_ended(self, task: TaskMessage | None, refused: CoordinatorError) -> bool:
        """Whether a task that was not sent will never be, and has its end in the log."""
        if task is None or not isinstance(refused, MessageTooLarge):
            return False
        try:
            await self._too_large.end(task, refused)
        except Unavailable:
            return False
        return True

    def _again(self, delivery: Delivery) -> TaskMessage | None:
        """The message as it is sent again, to the lane of its type if that was announced; None where it
        is no task.
        """
        if delivery.message.type != TASK_TYPE:
            return None
        try:
            task = TaskMessage.from_message(delivery.message)
        except MalformedMessage:
            return None
        announced = task.task_type if task.task_type in self._types else None
        wanted = replace(task.wanted, task_type=announced)
        return task.model_copy(
            update={
                "requirements": wanted.as_dict(),
                "republished": (task.republished or 0) + 1,
            }
        )

    async def _open(self, task_queue: TaskQueue, wanted: Requirements) -> None:
        try:
            await self._ensure(task_queue, wanted, again=False)
        except TooManyLanes:
            # The limit is for what is submitted; this was accepted while there was room.
            await self._ensure(task_queue, wanted, again=True)
