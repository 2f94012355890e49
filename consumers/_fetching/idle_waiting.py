"""Waits for work while none is seen: sleeps until it is called, peeks at a few queues now and then, and
consumes some of them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping

from coordinator.broker.channel import Depth
from coordinator.protocol.task_queue import TaskQueue

from .._working.task_executor import TaskExecutor
from ..agent_timings import AgentTimings
from .fetch_policy import (
    ProbeResult,
    look_spread,
    pause_at_rest,
    pause_in_fleet,
    prefetch_shares,
    queues_to_consume,
)
from .fleet import Fleet
from .push_consumer import PushConsumer
from .queue_probe import PEEK, QueueProbe
from .served_queues import ServedQueues
from .wake_consumer import WakeConsumer
from .wakeups import Wakeups

__all__ = ["SPACING", "IdleWaiting"]

SPACING = 0.02
"""Seconds between two probes of a resting agent, however often it is woken."""

QUIET = (1.0, 2.0)
"""Seconds without work, by chance between these, after which an agent consumes a queue."""

QUIET_TO_SPARE = 0.05
"""The same for an agent that has slots to spare: it need not leave when it is given a task, so that
consuming costs the broker nothing again, and the next task starts as soon as it comes."""

AGAIN = 1.0
"""Seconds after which an agent with slots to spare consumes a queue though tasks keep coming, if it has
cancelled no consumer and saw no more of them than it has slots for."""


class IdleWaiting:
    """Returns when something arrived, the agent was called, or a peek found work."""

    def __init__(
        self,
        executor: TaskExecutor,
        sources: ServedQueues,
        probe: QueueProbe,
        push: PushConsumer,
        wake: WakeConsumer,
        wakeups: Wakeups,
        *,
        fleet: Fleet,
        timings: AgentTimings,
        rng: random.Random,
    ) -> None:
        self._executor = executor
        self._sources = sources
        self._probe = probe
        self._push = push
        self._wake = wake
        self._fleet = fleet
        self._wakeups = wakeups
        self._shared_look = timings.shared_look.total_seconds()
        self._longest_nap = timings.longest_nap.total_seconds()
        self._rng = rng
        self._quiet = rng.uniform(*QUIET)
        self._counted = False
        """Whether those who rest were counted since this agent does, too."""
        self._news = False
        """Whether the agent serves other queues than it has looked at."""

    async def __call__(self, found: ProbeResult, *, probed: float, pressed: float) -> None:
        """``probed`` is when ``found`` was seen, ``pressed`` when work last waited that consumers would not
        have brought: both by the loop's clock. Where what was found is on its way, it returns soon.
        """
        changed = self._executor.changed
        depths, self._counted, self._news = found.depths or {}, False, False
        if not self._wake.woken:
            self._wake.take_allowed()  # what it was called for is done
        while True:
            # Read once: were it read again for the pause, what fell due while the broker was asked would be
            # taken for done.
            quiet = self._quiet_since()
            if not await self._settled_down(depths, pressed, quiet) or changed.is_set():
                break
            if not await self._quiet_for(self._pause(quiet, on_its_way=bool(found.waiting))):
                break
            depths = await self._probe.peek()
            self._counted = self._wake.on
            if found.waiting or any(depth.ready for depth in depths.values()):
                break
        early = probed + SPACING - self._wakeups.now()
        if early > 0 and self._executor.free:
            await self._wakeups.pause(early)

    def hear_news(self) -> None:
        """The agent serves other queues from now on. All of a fleet hear of it at once: those that sleep look
        at what is new one after another.
        """
        if not self._wake.on:
            self._executor.changed.set()
        elif not self._news:
            self._news = True
            delay = self._rng.uniform(0, look_spread(self._fleet.size))
            asyncio.get_running_loop().call_later(delay, self._executor.changed.set)

    async def _settled_down(
        self, depths: Mapping[TaskQueue, Depth], pressed: float, quiet: float
    ) -> bool:
        """Do what the agent has been ``quiet`` for long enough for; whether it is still at rest then."""
        if self._long_enough(pressed, quiet):
            await self._consume_some(depths)
        if quiet > QUIET_TO_SPARE:
            await self._wake.start(consumes_queues=bool(self._push.on))
        return self._executor.free > 0 and not self._wakeups.stopped

    async def _quiet_for(self, seconds: float) -> bool:
        """Wait, and return early with False where there is reason to probe everything."""
        changed, last_change = self._executor.changed, self._executor.last_change
        await self._wakeups.change(seconds)
        if not changed.is_set():
            return True
        news, self._news = self._news, False
        if not news or self._wake.woken or self._executor.last_change != last_change:
            return False
        changed.clear()
        await self._push.refresh()
        return not self._wakeups.stopped

    def _pause(self, quiet: float, *, on_its_way: bool) -> float:
        """Seconds until the next peek, after all that was due when the agent had been so ``quiet``."""
        peeks = -(-len(self._sources) // PEEK)
        pause = pause_at_rest(quiet, peeks, self._rng)
        if on_its_way:
            return pause
        in_fleet = pause_in_fleet(
            self._fleet.size, self._rng, shared=self._shared_look, longest=self._longest_nap
        )
        pause = max(pause, in_fleet)
        # To be there when it is time to sleep, and to consume.
        for due in (QUIET_TO_SPARE, self._quiet):
            if quiet < due:
                return min(pause, due - quiet + 0.01)
        return pause

    def _quiet_since(self) -> float:
        """Seconds for which nothing arrived or finished."""
        return self._wakeups.turn() - self._executor.last_change

    def _long_enough(self, pressed: float, quiet: float) -> bool:
        """Whether nothing came for so long that consuming pays."""
        to_spare = self._executor.free > 1
        return quiet > (QUIET_TO_SPARE if to_spare else self._quiet) or (
            to_spare and self._wakeups.now() - pressed > AGAIN
        )

    async def _consume_some(self, depths: Mapping[TaskQueue, Depth]) -> None:
        """The queues that nobody consumes, some that few do, and those of who has called this agent."""
        on = self._push.on
        others = self._fleet.resting - 1 if self._counted else None
        chosen = queues_to_consume(depths, on, self._rng, others=others)
        left_over = self._wake.take_left_over()
        chosen += [
            source
            for source in (self._sources.to_probe() if left_over else ())
            if source.queue in left_over and source not in on and source not in chosen
        ]
        free = self._executor.free - sum(self._push.rooms.values())
        shares = prefetch_shares(chosen, free, self._executor.pace.lately)
        for source, window in zip(chosen, shares, strict=True):
            if not self._executor.free or self._wakeups.stopped:
                return
            await self._push.start(source, what="door", window=window)
