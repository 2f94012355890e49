"""How many tasks wait, as the broker tells it at this moment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from coordinator.broker.channel import Depth
from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue

__all__ = ["LooksAtQueues", "QueueSizes", "SourceDepth", "by_priority"]


class LooksAtQueues(Protocol):
    """`broker.queue_depths.QueueDepths`."""

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]: ...


@dataclass(frozen=True, slots=True)
class SourceDepth:
    """A source and what the broker says of its queue; None where it has none (deleted by hand)."""

    source: TaskQueue
    requirements: Requirements
    depth: Depth | None

    @property
    def ready(self) -> int:
        return 0 if self.depth is None else self.depth.ready

    @property
    def consumers(self) -> int:
        return 0 if self.depth is None else self.depth.consumers


class QueueSizes:
    """Each answer begins after its question, so that it holds what was confirmed before. Questions
    that come while a look is under way share the next one, since a look at a thousand queues takes
    some 0.2 s.
    """

    def __init__(self, *, book: TaskQueues, depths: LooksAtQueues) -> None:
        self._book = book
        self._depths = depths
        self._looking = asyncio.Lock()
        self._next: asyncio.Task[list[SourceDepth]] | None = None

    async def look(self) -> list[SourceDepth]:
        """Every open source, the most urgent first. Raises `BrokerUnavailable`."""
        if self._next is None:
            self._next = asyncio.create_task(self._look())
        return await asyncio.shield(self._next)

    async def _look(self) -> list[SourceDepth]:
        async with self._looking:
            self._next = None
            sources = {source: self._book.requirements(source) for source in self._book.sources()}
            found = await self._depths.look(source.queue for source in sources)
            return [
                SourceDepth(source, requirements, found[source.queue])
                for source, requirements in sources.items()
            ]


def by_priority(depths: Iterable[SourceDepth]) -> dict[str, int]:
    """Ready tasks by priority over all lanes, in the contract's order."""
    sizes = dict.fromkeys((priority.value for priority in Priority), 0)
    for found in depths:
        sizes[found.source.priority] += found.ready
    return sizes
