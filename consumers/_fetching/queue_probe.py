"""Asks the broker, by passive declares, how many messages the served queues hold."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.broker.queue_depths import QueueDepths
from coordinator.errors import QueueRefused
from coordinator.protocol.task_queue import TaskQueue

from .fetch_policy import ProbeResult, Waiting, by_level, in_batches
from .fleet import Fleet
from .served_queues import ServedQueues

__all__ = ["PEEK", "QueueProbe"]

TOGETHER = 30
"""Queues that are asked together: what is saved by stopping early is less than another way costs."""

COUNTED_AT_ONCE = 300
"""Resting agents of a kind that each look counts; of twice as many, every other look does."""

PEEK = 5
"""Queues that a resting agent asks at a time."""


class QueueProbe:
    """Probes queues. A queue whose leader is in trouble looks empty (0/0), so an empty result is never
    proof: it only means that there is nothing to take until the next probe. One that the broker cannot
    deliver from is left alone for a while: each try costs the connection, with all that is in hand.
    """

    def __init__(
        self,
        link: Link,
        sources: ServedQueues,
        fleet: Fleet,
        *,
        clock: Callable[[], float],
        rng: random.Random,
    ) -> None:
        self._depths = QueueDepths(lambda: link, refused=self._refused)
        self._link = link
        self._sources = sources
        self._clock = clock
        self._rng = rng
        self._round: deque[TaskQueue] = deque()
        self._not_told: dict[str, QueueRefused] = {}
        """Queues that this user may not look at, of those that were asked last."""
        self._fleet = fleet

    async def __call__(self, enough: int) -> ProbeResult:
        """Probe from the most urgent down, until ``enough`` tasks were seen.

        A level is always probed as a whole, and small ones together.
        """
        began = self._clock()
        seen: dict[TaskQueue, Depth] = {}
        waiting: list[Waiting] = []
        for some in in_batches(by_level(self._to_probe(), self._rng), TOGETHER):
            found = await self._look(some)
            seen |= found
            waiting += (
                Waiting(source, found[source].ready)
                for source in some
                if source in found and found[source].ready
            )
            if sum(one.ready for one in waiting) >= enough:
                break
        return ProbeResult(tuple(waiting), seen, self._clock() - began)

    async def peek(self) -> dict[TaskQueue, Depth]:
        """What the next few queues of a round over all of them hold; those that were opened since the last
        time come first.
        """
        if not self._round:
            everything = self._to_probe()
            self._rng.shuffle(everything)
            self._round.extend(everything)
        new = self._sources.take_new()
        self._round.extendleft(one for one in new if one not in self._round)
        some = [self._round.popleft() for _ in range(min(PEEK, len(self._round)))]
        return await self._look(some, resting=True)

    def _to_probe(self) -> list[TaskQueue]:
        heads = self._link.heads
        return [one for one in self._sources.to_probe() if not heads.of(one.queue).rests]

    async def _look(
        self, sources: list[TaskQueue], *, resting: bool = False
    ) -> dict[TaskQueue, Depth]:
        """Those that exist. At rest, how many of its kind rest is asked, too."""
        asked = [source.queue for source in sources]
        self._not_told = {}
        wake_queue = self._fleet.wake_queue if resting and self._time_to_count() else None
        if wake_queue is not None:
            asked.append(wake_queue)
        answers = await self._depths.look(asked)
        if wake_queue is not None:
            self._count(wake_queue, answers[wake_queue])
        found: dict[TaskQueue, Depth] = {}
        for source in sources:
            depth = answers[source.queue]
            if source.queue in self._not_told:
                self._sources.refuse(source, self._not_told[source.queue])
            elif depth is None:
                self._sources.miss(source)
            else:
                self._sources.found(source)
                found[source] = depth
        return found

    def _refused(self, queue: str, why: QueueRefused) -> None:
        self._not_told[queue] = why

    def _count(self, wake_queue: str, resting: Depth | None) -> None:
        if wake_queue in self._not_told:
            self._fleet.refused()
        elif resting is None:
            self._fleet.missing()
        else:
            self._fleet.counted(resting.consumers)

    def _time_to_count(self) -> bool:
        """By chance, and the more rarely the more there are: the broker counts them one by one."""
        return self._rng.random() * self._fleet.resting < COUNTED_AT_ONCE
