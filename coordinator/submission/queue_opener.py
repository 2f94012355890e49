"""Opens a task queue on its first use, and declares all of them again on each new connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple
from weakref import WeakValueDictionary

from coordinator.broker.broker_lock import held
from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import (
    BrokerUnavailable,
    NotOpened,
    OutcomeUnknown,
    TopologyConflict,
)
from coordinator.protocol.messages.agent_commands import EVERY_AGENT, ServeSource, encode_command
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import CONTROL, EVENTS, TOPOLOGY, task_queue_topology

from .lane_limits import MAX_LANES, LaneLimits, check_room, check_share
from .ports import FindsUnserved

__all__ = ["MAX_LANES", "QueueOpener"]

logger = logging.getLogger(__name__)

LOCK_PATIENCE = 5.0
"""Seconds to wait while another opens the same queue, or retires it."""


class _Opening(NamedTuple):
    """Is under way."""

    requirements: Requirements
    opener: str | None
    """The caller whose lane it is."""
    task: asyncio.Task[None]


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
        limits: LaneLimits = LaneLimits(),  # noqa: B008 - frozen
        unserved: FindsUnserved | None = None,
        why_not: Callable[[], str | None] = lambda: None,
    ) -> None:
        """``unserved`` finds the lanes that no agent ever registered for; without it all are taken to be
        served. ``why_not`` tells in a sentence why nothing can be opened now, where more is known than that
        the broker is away.
        """
        self._book = book
        self._publisher = publisher
        self._limits = limits
        self._unserved = unserved
        self._why_not = why_not
        self._opening: dict[TaskQueue, _Opening] = {}
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
        self,
        task_queue: TaskQueue,
        requirements: Requirements,
        *,
        again: bool = False,
        by: str | None = None,
    ) -> None:
        """Returns when the task queue is open and announced; at once where it is known to be.

        Requests at the same time share one opening. ``again`` opens a task queue that is known, because
        its queue turned out to be missing. ``by`` is whose task wants it, where the API knows that. Raises
        `TooManyLanes`, `TooManyRequests` or `BrokerUnavailable`.
        """
        if not self.ready:
            raise NotOpened(self._why_not())
        opener = None
        if task_queue not in self._opening and not again:
            if task_queue in self._book:
                return
            if not self._book.has_lane(task_queue.lane):
                opener = None if requirements.empty else by
                self._check_share(task_queue, opener)
                await self._check_room(task_queue, requirements)
                self._check_share(task_queue, opener)  # others may have come meanwhile
        if task_queue not in self._opening:
            task = asyncio.create_task(self._open(task_queue, requirements, opener))
            self._opening[task_queue] = _Opening(requirements, opener, task)
            task.add_done_callback(partial(self._opened, task_queue))
        await asyncio.shield(self._opening[task_queue].task)

    def _check_share(self, task_queue: TaskQueue, opener: str | None) -> None:
        if opener is None:
            return
        coming = {other.lane for other, one in self._opening.items() if one.opener == opener}
        lanes = self._book.lanes_opened_by(opener) | coming
        if task_queue.lane not in lanes:
            check_share(lanes, self._limits)

    async def _check_room(self, task_queue: TaskQueue, requirements: Requirements) -> None:
        """Nothing comes between the check and the opening that it is for."""
        lanes = self._book.by_lane() | {task_queue.lane: requirements}
        unserved = set() if self._unserved is None else await self._unserved.among(lanes)
        coming = {other.lane: one.requirements for other, one in self._opening.items()}
        others = self._book.by_lane() | coming
        check_room(
            task_queue.lane, requirements, others=others, unserved=unserved, limits=self._limits
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

    async def _open(
        self, task_queue: TaskQueue, requirements: Requirements, opener: str | None
    ) -> None:
        async with self.kept_from_opening(task_queue) as link:
            channel = await link.channel()
            await channel.declare(task_queue_topology(task_queue))
            await channel.close()
            new = self._book.add(task_queue, requirements, opener)
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
            lane=task_queue.lane,
            priority=task_queue.priority,
            requirements=wanted,
            opened_by=self._book.opener(task_queue),
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
