"""Pulls tasks with `basic.get`, several at a time, each on a channel of its own."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.connection import Link
from coordinator.errors import QueueMissing, QueueRefused
from coordinator.protocol.task_queue import TaskQueue

from .._working.task_executor import TaskExecutor
from .fetch_policy import ProbeResult, Waiting
from .served_queues import ServedQueues

__all__ = ["PullConsumer"]


class PullConsumer:
    """Has one channel for each slot: gets run in parallel only over several channels, and where the broker
    closes a channel over one task that took too long, the others are on other channels.
    """

    def __init__(self, link: Link, executor: TaskExecutor, sources: ServedQueues) -> None:
        self._link = link
        self._executor = executor
        self._sources = sources
        self._channels: list[Channel] = []

    async def __call__(self, found: ProbeResult, *, until: float) -> tuple[int, ProbeResult]:
        """Fill the free slots from the best of what was seen: how many were taken, and what is left.

        Stops at ``until``, by the loop's clock: what was seen is old then.
        """
        loop = asyncio.get_running_loop()
        taken = 0
        left = list(found.waiting)
        while left and self._executor.free and loop.time() < until:
            source, ready = left[0].source, left[0].ready
            wanted = min(ready, self._executor.free)
            got = await self._get(source, wanted)
            taken += got
            if got == wanted < ready:
                left[0] = Waiting(source, ready - got)
            else:
                del left[0]  # it is empty, or others were quicker
        return taken, replace(found, waiting=tuple(left))

    async def _get(self, source: TaskQueue, wanted: int) -> int:
        """One at first: it may be one that is to be alone, and then nothing else is free."""
        taken = await self._get_some(source, 1)
        if taken and wanted > 1 and self._executor.free:
            taken += await self._get_some(source, min(wanted - 1, self._executor.free))
        return taken

    async def _get_some(self, source: TaskQueue, wanted: int) -> int:
        channels = await self._idle_channels(wanted)
        head = self._link.heads.of(source.queue)
        head.began(waiting=wanted)
        answers = await asyncio.gather(
            *(self._get_one(channel, source) for channel in channels), return_exceptions=True
        )
        taken = 0
        for answer in answers:  # what was taken is started, also where another channel was lost
            if isinstance(answer, Delivery):
                self._executor.take_in(answer, source)
                taken += 1
        if taken:
            head.passed()
        elif self._link.open:
            head.stopped()
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return taken

    async def _get_one(self, channel: Channel, source: TaskQueue) -> Delivery | None:
        try:
            got = await channel.get(source.queue)
        except QueueMissing:
            self._sources.miss(source)
            return None
        except QueueRefused as exc:
            self._sources.refuse(source, exc)
            return None
        self._sources.may_read(source)
        return got

    async def _idle_channels(self, wanted: int) -> list[Channel]:
        """Those that hold nothing, as far as there are such."""
        held_on = self._executor.receipts.held_on
        self._channels = sorted((c for c in self._channels if c.open), key=held_on)
        idle = sum(1 for channel in self._channels if not held_on(channel))
        while idle < wanted and len(self._channels) < self._executor.slots.count:
            self._channels.insert(0, await self._link.channel())
            idle += 1
        return self._channels[:wanted]
