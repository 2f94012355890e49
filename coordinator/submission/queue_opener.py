"""Opens a task queue on its first use, and declares all of them again on each new connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from weakref import WeakValueDictionary

from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task_queues import TaskQueues, counts
from coordinator.errors import (
    BrokerUnavailable,
    NotOpened,
    OutcomeUnknown,
    TooManyLanes,
    TopologyConflict,
)
from coordinator.protocol.messages.agent_commands import EVERY_AGENT, ServeSource, encode_command
from coordinator.protocol.messages.event_codec import encode, routing_key
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import CONTROL, EVENTS, TOPOLOGY, task_queue_topology

__all__ = ["MAX_LANES", "QueueOpener"]

logger = logging.getLogger(__name__)

MAX_LANES = 500
"""Distinct combinations of a task type and requirements; each has up to five queues (ten with the long
ones), as far as its priorities are used."""


LOCK_PATIENCE = 5.0
"""Seconds to wait while another opens the same queue, or retires it."""


class QueueOpener:
    """Restores what is known on each new link, and opens what is new.

    A task queue is opened in this order: queue and binding, the book, the event, the command to the agents.
    Who sees the event can rely on the queue, an agent that registers meanwhile is offered it, and whoever
    dies between leaves what a repetition mends.
    """

    def __init__(
        self,
        *,
        book: TaskQueues,
        publisher: PublishesMessages,
        max_lanes: int = MAX_LANES,
    ) -> None:
        self._book = book
        self._publisher = publisher
        self._max_lanes = max_lanes
        self._opening: dict[TaskQueue, tuple[Requirements, asyncio.Task[None]]] = {}
        self._alone: WeakValueDictionary[TaskQueue, asyncio.Lock] = WeakValueDictionary()
        self._link: Link | None = None
        self._changed = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether everything known was declared over a link that is still open."""
        return self._link is not None and self._link.open

    async def restored(self) -> None:
        """Wait until it is `ready`."""
        while not self.ready:
            self._changed.clear()
            await self._changed.wait()

    async def restore(self, link: Link) -> None:
        """Declare the topology and every task queue of the book; from then on task queues can be ensured.

        To be called first over each new link, because the broker may have lost anything.
        """
        self._link = None
        channel = await link.channel()
        await channel.declare(TOPOLOGY)
        for task_queue in self._book.sources():
            try:
                await channel.declare(task_queue_topology(task_queue))
            except TopologyConflict as exc:
                # One queue that somebody made by hand must not hold up all the others.
                logger.error("%s", exc, extra={"queue": task_queue.queue})
                channel = await link.channel()
        await channel.close()
        self._link = link
        self._changed.set()

    def interrupted(self) -> None:
        """What was declared may be gone: nothing is ensured until it is restored."""
        self._link = None

    async def ensure(
        self, task_queue: TaskQueue, requirements: Requirements, *, again: bool = False
    ) -> None:
        """Returns when the task queue is open and announced; at once where it is known to be.

        Requests at the same time share one opening. ``again`` opens a task queue that is known, because
        its queue turned out to be missing. Raises `TooManyLanes` or `BrokerUnavailable`.
        """
        if not self.ready:
            raise NotOpened
        if task_queue not in self._opening:
            if task_queue in self._book and not again:
                return
            if not again:
                self._check_room(task_queue, requirements)
            task = asyncio.create_task(self._open(task_queue, requirements))
            self._opening[task_queue] = (requirements, task)
            task.add_done_callback(partial(self._opened, task_queue))
        await asyncio.shield(self._opening[task_queue][1])

    def _check_room(self, task_queue: TaskQueue, requirements: Requirements) -> None:
        if not counts(requirements) or self._book.has_lane(task_queue.lane):
            return
        coming = {
            other.lane
            for other, (wanted, _) in self._opening.items()
            if counts(wanted) and not self._book.has_lane(other.lane)
        }
        if self._book.lanes() + len(coming - {task_queue.lane}) >= self._max_lanes:
            raise TooManyLanes(
                f"{self._max_lanes} different combinations of task type and requirements are in use,"
                " which is the limit: use one of them, or have the operator raise"
                " COORDINATOR_MAX_LANES"
            )

    @asynccontextmanager
    async def kept_from_opening(self, task_queue: TaskQueue) -> AsyncIterator[Link]:
        """Nobody else opens ``task_queue`` while the block lasts, in this process or another. Gives the
        link by which that is so. Raises `BrokerUnavailable`.
        """
        link = self._link
        if link is None:
            raise BrokerUnavailable
        alone = self._alone.setdefault(task_queue, asyncio.Lock())
        async with alone, held(link, task_queue.queue, patience=LOCK_PATIENCE):
            if link is not self._link:
                raise NotOpened  # interrupted while others had it
            yield link

    async def _open(self, task_queue: TaskQueue, requirements: Requirements) -> None:
        async with self.kept_from_opening(task_queue) as link:
            channel = await link.channel()
            await channel.declare(task_queue_topology(task_queue))
            await channel.close()
            new = self._book.add(task_queue, requirements)
            try:
                await self._announce(task_queue, requirements)
            except BaseException:
                if new:
                    self._book.discard(task_queue)
                raise
        logger.info("opened a queue", extra={"queue": task_queue.queue})

    async def _announce(self, task_queue: TaskQueue, requirements: Requirements) -> None:
        wanted = requirements.as_dict()
        opened = SourceOpened(
            lane=task_queue.lane, priority=task_queue.priority, requirements=wanted
        )
        command = ServeSource(
            lane=task_queue.lane, priority=task_queue.priority, requirements=wanted
        )
        try:
            await self._publisher.publish(
                encode(Event(data=opened)), exchange=EVENTS, key=routing_key(opened)
            )
            await self._publisher.publish(
                encode_command(command), exchange=CONTROL, key=EVERY_AGENT
            )
        except OutcomeUnknown as exc:
            raise BrokerUnavailable(
                "The broker did not confirm the opening of a queue; the task was not sent."
            ) from exc

    def _opened(self, task_queue: TaskQueue, task: asyncio.Task[None]) -> None:
        del self._opening[task_queue]
        if not task.cancelled():
            task.exception()  # told to whoever waits; nobody may be left
