"""Retires task queues that nobody has used for long, and deletes them without losing a task.

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
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from coordinator.broker.broker_lock import held
from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages, ReadsQueueDepths
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import ChannelLost, QueueLocked, TooManyLanes, TopologyConflict, Unavailable
from coordinator.protocol.messages.agent_commands import EVERY_AGENT, LeaveSource, encode_command
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, SourceRetired
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import CONTROL, EVENTS, RETIRING
from coordinator.recovery.ports import CatchesUp

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


class OpensRetired(Protocol):
    """Opens a retired queue again, or keeps others from it: `submission.queue_opener.QueueOpener`."""

    async def ensure(
        self, task_queue: TaskQueue, requirements: Requirements, *, again: bool = False
    ) -> None:
        """As `ports.ReopensQueue` has it."""

    def kept_from_opening(self, task_queue: TaskQueue) -> AbstractAsyncContextManager[object]:
        """Nobody else opens ``task_queue`` while the block lasts. Raises `BrokerUnavailable`."""


class RetiredQueue(Protocol):
    """Tells whether a retired queue is wanted: `registry.upkeep.idle_task_queues.Standing`."""

    @property
    def opened(self) -> bool:
        """Whether somebody has opened it again."""

    @property
    def unfinished(self) -> bool:
        """Whether it has tasks that have not ended, wherever they are."""


class FindsIdle(Protocol):
    """Finds task queues that nobody uses: `registry.upkeep.idle_task_queues.IdleTaskQueues`. Everything
    raises `LedgerUnavailable`.
    """

    async def stored(self) -> list[Opened]:
        """Every task queue that is open, as the ledger has it."""

    async def unused(self, since: datetime) -> list[Opened]:
        """Opened before, and since then without any task that was submitted, waited or ended."""

    async def standing(self, task_queue: TaskQueue) -> RetiredQueue:
        """What the ledger has of one that was retired."""

    async def homeless(self) -> list[Opened]:
        """Those of tasks that should be on a queue, and that are not open."""


class TellsUnservedLanes(Protocol):
    """Finds lanes that no agent ever registered for: `registry.upkeep.unserved_lanes.UnservedLanes`."""

    async def among(self, lanes: Mapping[str, Requirements]) -> AbstractSet[str]:
        """Those of ``lanes``, by their names. Raises nothing."""


class QueueRetirement:
    """Retires, in rounds, the queues that were unused for as long as ``after``; zero is never. One
    coordinator at a time does so. Those that ``unserved`` finds, which no agent ever registered for, are
    retired once they were unused for ``unserved_after``. Run `session` with `Connection.keep`, after the task
    queues were restored.

    ``pause``: seconds between the event and the deletion, for those that have not heard of it.
    """

    def __init__(
        self,
        *,
        book: TaskQueues,
        opener: OpensRetired,
        publisher: PublishesMessages,
        depths: ReadsQueueDepths,
        idle: FindsIdle,
        catch_up: CatchesUp,
        after: timedelta,
        unserved: TellsUnservedLanes | None = None,
        unserved_after: timedelta = timedelta(0),
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
        self._unserved = unserved
        self._nobodys: AbstractSet[str] = set()
        """The lanes that no agent ever registered for, when it was last looked."""
        self._unserved_after = unserved_after if unserved is not None else timedelta(0)
        self._now = now
        self._pause = pause
        self._leaving: dict[TaskQueue, Requirements] = {}
        """Retired, and not deleted yet."""
        self._abandoned: set[TaskQueue] = set()
        """Those of them that may hold messages of tasks that have ended: nobody comes to take them."""

    async def session(self, link: Link) -> NoReturn:
        """Retires queues until the link is closed. Raises `ChannelLost` then."""
        restored = {
            task_queue: self._book.requirements(task_queue) for task_queue in self._book.sources()
        }
        await self._agree(link, restored)
        periods = [after for after in (self._after, self._unserved_after) if after]
        if not periods:
            await link.closed()
        interval = min(min(periods) / 4, LONGEST_INTERVAL).total_seconds()
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
                for task_queue, wanted in stored.items():
                    self._book.add(task_queue, wanted)
                for task_queue, wanted in restored.items():
                    if task_queue not in stored:
                        await self._opener.ensure(task_queue, wanted, again=True)
            except (Unavailable, TopologyConflict) as exc:
                logger.debug("which queues are open is not known yet", extra={"why": str(exc)})
                await asyncio.sleep(AGREE_AGAIN)
            else:
                return

    async def _round(self, link: Link) -> None:
        for task_queue, wanted in await self._idle.homeless():
            # Somebody died between the event and the deletion.
            await self._opener.ensure(task_queue, wanted, again=True)
        for task_queue, wanted in await self._unused():
            await self.retire(task_queue, wanted, abandoned=task_queue.lane in self._nobodys)
        await self.remove_retired(link)

    async def remove_retired(self, link: Link) -> None:
        """Delete what was retired, after the pause, or open it again where it is wanted. Raises
        `Unavailable`, `TopologyConflict`.
        """
        leaving = list(self._leaving)
        if leaving:
            await asyncio.sleep(self._pause)
        for task_queue in leaving:
            await self._remove(link, task_queue)

    async def _unused(self) -> list[Opened]:
        """The lanes open to all stay: they are few, and the first that anybody uses."""
        unused = [
            (task_queue, wanted)
            for task_queue, wanted in await self._unused_for_long()
            if not wanted.empty
        ][:MOST]
        depths = await self._depths.look(task_queue.queue for task_queue, _ in unused)
        return [
            one for one in unused if one[0].lane in self._nobodys or _is_empty(depths[one[0].queue])
        ]

    async def _unused_for_long(self) -> list[Opened]:
        """Those that nobody ever served are given up sooner."""
        found = await self._idle.unused(self._now() - self._after) if self._after else []
        self._nobodys = set()
        if self._unserved is not None and self._unserved_after:
            self._nobodys = await self._unserved.among(self._book.by_lane())
        if not self._nobodys:
            return found
        unused = await self._idle.unused(self._now() - self._unserved_after)
        return found + [one for one in unused if one[0].lane in self._nobodys and one not in found]

    async def retire(self, task_queue: TaskQueue, wanted: Requirements, *, abandoned: bool) -> None:
        """Have it forgotten everywhere, at once; `remove_retired` deletes it. ``abandoned``: also with
        messages in it, of tasks that have ended all. Raises `Unavailable`.
        """
        self._leaving[task_queue] = wanted
        if abandoned:
            self._abandoned.add(task_queue)
        event = Event(data=SourceRetired(lane=task_queue.lane, priority=task_queue.priority))
        await self._publisher.publish(encode(event), exchange=EVENTS, key=routing_key(event.data))
        self._book.discard(task_queue)
        leave = LeaveSource(lane=task_queue.lane, priority=task_queue.priority)
        await self._publisher.publish(encode_command(leave), exchange=CONTROL, key=EVERY_AGENT)

    async def _remove(self, link: Link, task_queue: TaskQueue) -> None:
        async with self._opener.kept_from_opening(task_queue):
            await self._catch_up()
            standing = await self._idle.standing(task_queue)
            depth = (await self._depths.look([task_queue.queue]))[task_queue.queue]
            left = _is_left(depth, abandoned=task_queue in self._abandoned)
            wanted = standing.opened or standing.unfinished or not left
            if not wanted and depth is not None:
                channel = await link.channel()
                await channel.delete_queue(task_queue.queue)
                await channel.close()
        requirements = self._leaving[task_queue]
        if wanted:
            # Announced once more even if another has opened it: whoever heard of the two in the
            # other order has forgotten it.
            await self._opener.ensure(task_queue, requirements, again=True)
        else:
            logger.info("a queue that nobody used was given up", extra={"queue": task_queue.queue})
        del self._leaving[task_queue]
        self._abandoned.discard(task_queue)


def _is_left(depth: Depth | None, *, abandoned: bool) -> bool:
    """What is in one that is ``abandoned`` is of ended tasks, says the ledger: an agent that took it would
    drop it. RabbitMQ 3.10 moves whoever still consumes from a queue that is deleted to the next one of that
    name, and keeps what that one pushes to them (measured).
    """
    return depth is None or ((abandoned or depth.ready == 0) and depth.consumers == 0)


def _is_empty(depth: Depth | None) -> bool:
    return depth is None or depth.ready == 0
