"""Queues of tasks that nobody has used for long are given up, without losing a task to it.

    unused, empty ─▶ source.retired ─▶ forgotten everywhere ─▶ a pause ─▶ locked ─▶ still unused, ─▶ deleted
                                                                      │        and left?
                                                                      └─▶ no: opened again

From the event on, whoever has a task for the queue must open it first, and opening takes the same
lock. So under the lock, behind a mark, the ledger tells exactly whether anybody has opened it again
or put a task on it. The decision and every interleaving: docs/decisions/0010.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.broker.name_lock import held
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import ChannelLost, QueueLocked, TooManyLanes, TopologyConflict, Unavailable
from coordinator.protocol.messages.agent_commands import EVERY_AGENT, LeaveSource, encode_command
from coordinator.protocol.messages.event_codec import encode, routing_key
from coordinator.protocol.messages.events import Event, SourceRetired
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import CONTROL, EVENTS, RETIRING

from .ports import Publishes

__all__ = ["QueueRetirement"]

logger = logging.getLogger(__name__)

LONGEST_INTERVAL = timedelta(hours=1)
"""Between two rounds; less where queues retire sooner."""

PAUSE = 15.0
"""Seconds between the event and the deletion: longer than any publish takes that was decided on
before the event was heard, and than the pause between two heartbeats, after which agents have left."""

AGREE_AGAIN = 1.0
"""Seconds before the ledger is asked again which queues are open."""

MOST = 50
"""Queues in one round."""

Opened = tuple[TaskQueue, Requirements]


class Opener(Protocol):
    """`submission.queue_opener.QueueOpener`."""

    async def ensure(
        self, source: TaskQueue, requirements: Requirements, *, again: bool = False
    ) -> None: ...

    def kept_from_opening(self, source: TaskQueue) -> AbstractAsyncContextManager[None]: ...


class Standing(Protocol):
    """`registry.upkeep.idle_task_queues.Standing`."""

    @property
    def opened(self) -> bool: ...
    @property
    def unfinished(self) -> bool: ...


class Idle(Protocol):
    """`registry.upkeep.idle_task_queues.IdleTaskQueues`."""

    async def stored(self) -> list[Opened]: ...
    async def unused(self, since: datetime) -> list[Opened]: ...
    async def standing(self, source: TaskQueue) -> Standing: ...
    async def homeless(self) -> list[Opened]: ...


class Looks(Protocol):
    """`broker.queue_depths.QueueDepths`."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]: ...


class QueueRetirement:
    """Run `session` with `Connection.keep`, after the sources were restored. One coordinator at a
    time retires queues, ``after`` having been unused for so long; zero is never.

    ``catch_up`` is `read_barrier.ReadBarrier.ledger`.
    """

    def __init__(
        self,
        *,
        book: TaskQueues,
        opener: Opener,
        publisher: Publishes,
        depths: Looks,
        idle: Idle,
        catch_up: Callable[[], Awaitable[None]],
        after: timedelta,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        pause: float = PAUSE,
    ) -> None:
        self._book = book
        self._opener = opener
        self._publisher = publisher
        self._depths = depths
        self._idle = idle
        self._catch_up = catch_up
        self._after = after
        self._now = now
        self._pause = pause
        self._leaving: dict[TaskQueue, Requirements] = {}
        """Retired, and not deleted yet."""

    async def session(self, link: Link) -> NoReturn:
        restored = {source: self._book.requirements(source) for source in self._book.sources()}
        await self._agree(link, restored)
        if not self._after:
            await link.closed()
        interval = min(self._after / 4, LONGEST_INTERVAL).total_seconds()
        while link.open:
            await asyncio.sleep(interval)
            try:
                async with held(link, RETIRING):
                    await self._round(link)
            except QueueLocked:
                continue  # another coordinator does it
            except (Unavailable, TooManyLanes, TopologyConflict) as exc:
                logger.info("no queue retires now", extra={"why": str(exc)})
        raise ChannelLost

    async def _agree(self, link: Link, restored: dict[TaskQueue, Requirements]) -> None:
        """What others opened while this process was away is open here. What they retired was bound
        again when this process came back, so it is opened again with all that belongs to it.
        """
        while link.open:
            try:
                await self._catch_up()
                stored = dict(await self._idle.stored())
                for source, wanted in stored.items():
                    self._book.add(source, wanted)
                for source, wanted in restored.items():
                    if source not in stored:
                        await self._opener.ensure(source, wanted, again=True)
            except (Unavailable, TopologyConflict) as exc:
                logger.debug("which queues are open is not known yet", extra={"why": str(exc)})
                await asyncio.sleep(AGREE_AGAIN)
            else:
                return

    async def _round(self, link: Link) -> None:
        for source, wanted in await self._idle.homeless():
            # Somebody died between the event and the deletion.
            await self._opener.ensure(source, wanted, again=True)
        for source, wanted in await self._unused():
            self._leaving[source] = wanted
            await self._retire(source)
        if self._leaving:
            await asyncio.sleep(self._pause)
        for source in list(self._leaving):
            await self._remove(link, source)

    async def _unused(self) -> list[Opened]:
        """The lanes open to all stay: they are few, and the first that anybody uses."""
        unused = [
            (source, wanted)
            for source, wanted in await self._idle.unused(self._now() - self._after)
            if not wanted.empty
        ][:MOST]
        depths = await self._depths.look(source.queue for source, _ in unused)
        return [one for one in unused if _is_empty(depths[one[0].queue])]

    async def _retire(self, source: TaskQueue) -> None:
        event = Event(data=SourceRetired(lane=source.lane, priority=source.priority))
        await self._publisher.publish(encode(event), exchange=EVENTS, key=routing_key(event.data))
        self._book.discard(source)
        leave = LeaveSource(lane=source.lane, priority=source.priority)
        await self._publisher.publish(encode_command(leave), exchange=CONTROL, key=EVERY_AGENT)

    async def _remove(self, link: Link, source: TaskQueue) -> None:
        async with self._opener.kept_from_opening(source):
            await self._catch_up()
            standing = await self._idle.standing(source)
            depth = (await self._depths.look([source.queue]))[source.queue]
            wanted = standing.opened or standing.unfinished or not _is_left(depth)
            if not wanted and depth is not None:
                channel = await link.channel()
                await channel.delete_queue(source.queue)
                await channel.close()
        requirements = self._leaving[source]
        if wanted:
            # Announced once more even if another has opened it: whoever heard of the two in the
            # other order has forgotten it.
            await self._opener.ensure(source, requirements, again=True)
        else:
            logger.info("a queue that nobody used was given up", extra={"queue": source.queue})
        del self._leaving[source]


def _is_left(depth: Depth | None) -> bool:
    """RabbitMQ 3.10 moves whoever still consumes from a queue that is deleted to the next one of that
    name, and keeps what that one pushes to them (measured).
    """
    return depth is None or (depth.ready == 0 and depth.consumers == 0)


def _is_empty(depth: Depth | None) -> bool:
    return depth is None or depth.ready == 0
