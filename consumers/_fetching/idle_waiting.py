"""Waits for work while none is seen: peeks at a few queues at a time, and consumes some of them."""

from __future__ import annotations

import random

from consumers._working.task_executor import TaskExecutor

from .fetch_policy import ProbeResult, pause_at_rest, prefetch_shares, queues_to_consume
from .push_consumer import PushConsumer
from .queue_probe import PEEK, QueueProbe
from .served_queues import ServedQueues
from .wakeups import Wakeups

__all__ = ["SPACING", "IdleWaiting"]

SPACING = 0.02
"""Seconds between two probes of a resting agent, however often it is woken."""

FULL_PROBE = 1.0
"""Seconds for which a resting agent only peeks; then it probes everything again, the number of consumers
included."""

QUIET = (1.0, 2.0)
"""Seconds without work, by chance between these, after which an agent consumes a queue."""

QUIET_TO_SPARE = 0.05
"""The same for an agent that has slots to spare: it need not leave when it is given a task, so that
consuming costs the broker nothing again, and the next task starts as soon as it comes."""

AGAIN = 1.0
"""Seconds after which an agent with slots to spare consumes a queue though tasks keep coming, if it has
cancelled no consumer and saw no more of them than it has slots for."""


class IdleWaiting:
    """Returns when something arrived, a peek found work, or it is time for another full probe."""

    def __init__(
        self,
        executor: TaskExecutor,
        sources: ServedQueues,
        probe: QueueProbe,
        push: PushConsumer,
        wakeups: Wakeups,
        *,
        rng: random.Random,
    ) -> None:
        self._executor = executor
        self._sources = sources
        self._probe = probe
        self._push = push
        self._wakeups = wakeups
        self._rng = rng
        self._quiet = rng.uniform(*QUIET)

    async def __call__(self, found: ProbeResult, *, probed: float, pressed: float) -> None:
        """``probed`` is when ``found`` was seen, ``pressed`` when work last waited that consumers would not
        have brought: both by the loop's clock.
        """
        if self._long_enough(pressed):
            await self._consume_some(found)
            if not self._executor.free or self._wakeups.stopped:
                return
        changed = self._executor.changed
        peeks = -(-len(self._sources) // PEEK)
        full_probe = probed + max(FULL_PROBE, 4 * found.cost)
        while not changed.is_set() and self._wakeups.now() < full_probe:
            quiet = self._wakeups.turn() - self._executor.last_change
            await self._wakeups.change(pause_at_rest(quiet, peeks, self._rng))
            if changed.is_set() or await self._probe.peek():
                break
        early = probed + SPACING - self._wakeups.now()
        if early > 0 and self._executor.free:
            await self._wakeups.pause(early)

    def _long_enough(self, pressed: float) -> bool:
        """Whether nothing came for so long that consuming pays."""
        now, to_spare = self._wakeups.now(), self._executor.free > 1
        quiet = now - self._executor.last_change
        return quiet > (QUIET_TO_SPARE if to_spare else self._quiet) or (
            to_spare and now - pressed > AGAIN
        )

    async def _consume_some(self, found: ProbeResult) -> None:
        """The queues that nobody consumes, and some that few do."""
        chosen = queues_to_consume(found.depths or {}, self._push.on, self._rng)
        free = self._executor.free - sum(self._push.rooms.values())
        shares = prefetch_shares(chosen, free, self._executor.pace.lately)
        for source, window in zip(chosen, shares, strict=True):
            if not self._executor.free or self._wakeups.stopped:
                return
            await self._push.start(source, what="door", window=window)
