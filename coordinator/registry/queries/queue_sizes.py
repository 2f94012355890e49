"""Counts the tasks that wait on each queue, as the broker tells it at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from coordinator.broker.channel import Depth
from coordinator.broker.ports import ReadsQueueDepths
from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["QueueSizes", "TaskQueueDepth", "by_priority"]


@dataclass(frozen=True, slots=True)
class TaskQueueDepth:
    """Pairs an open task queue with its depth."""

    source: TaskQueue
    requirements: Requirements
    """Of its lane."""
    depth: Depth | None
    """What the broker says; None where it has no such queue (deleted by hand)."""

    @property
    def ready(self) -> int:
        """Tasks that wait."""
        return 0 if self.depth is None else self.depth.ready

    @property
    def consumers(self) -> int:
        """Agents at rest that wait for its next task."""
        return 0 if self.depth is None else self.depth.consumers


class QueueSizes:
    """Looks at all open queues at once. Each answer begins after its question, so that it holds what was
    confirmed before. Questions that come while a look is under way share the next one, since a look at
    a thousand queues takes some 0.2 s.
    """

    def __init__(self, *, book: TaskQueues, depths: ReadsQueueDepths) -> None:
        self._book = book
        self._depths = depths
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[list[TaskQueueDepth]] | None = None

    async def look(self) -> list[TaskQueueDepth]:
        """Every open queue, the most urgent first. Raises `BrokerUnavailable`."""
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        return await asyncio.shield(self._next)

    async def _look(self) -> list[TaskQueueDepth]:
        async with self._looking:
            self._next = None
            sources = {source: self._book.requirements(source) for source in self._book.sources()}
            found = await self._depths.look(source.queue for source in sources)
            return [
                TaskQueueDepth(source, requirements, found[source.queue])
                for source, requirements in sources.items()
            ]


def by_priority(depths: Iterable[TaskQueueDepth]) -> dict[str, int]:
    """Ready tasks by priority over all lanes, in the contract's order."""
    sizes = dict.fromkeys((priority.value for priority in Priority), 0)
    for found in depths:
        sizes[found.source.priority] += found.ready
    return sizes
