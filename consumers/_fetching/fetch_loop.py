"""Fetches tasks from the served queues: probes, pulls, and never holds what it cannot run.

          ┌──────────────▶ a slot is free ◀──────────────┐
          │                      │                       │
          │                    probe ── nothing ──▶ rest, with a few consumers
          │                      │                       │ pushed
          │     few or slow ─────┴───── many and brisk   │
          │           │                       │          │
          └──────── pull ◀───────────────── focus ◀──────┘

* probe: passive declares, best priority first;
* pull: one `basic.get` for each free slot; started at once;
* focus: tasks of a few milliseconds are pushed, as fast as plain prefetch, from the best queue while it
  is the best, with a probe every 50 ms;
* rest: asleep until a call comes to the wake queue, with a peek now and then; after a quiet second (sooner
  with slots to spare) consumers of a few queues, with a prefetch of one, or of a share of the free slots.
  Work that they bring by themselves leaves the agent at rest. What is pushed to an agent that is busy by
  then is given back;
* who leaves its rest calls another to consume in its place, and up to two where more waits than it can do.

Strict priority follows, but for what is in hand and for work that came since the last probe.
"""

from __future__ import annotations

import logging
import random

from coordinator.broker.connection import Link
from coordinator.broker.ports import PublishesMessages
from coordinator.broker.undeliverable_head import WHAT_TO_DO, undeliverable
from coordinator.errors import ChannelLost, ConnectionLost
from coordinator.protocol.task_queue import TaskQueue

from .._working.task_executor import TaskExecutor
from ..agent_timings import DEFAULT_TIMINGS, AgentTimings
from .fetch_policy import MAX_UNTOLD, ProbeResult, fresh_for, is_brisk, is_pushed
from .fleet import Fleet
from .idle_waiting import SPACING, IdleWaiting
from .pull_consumer import PullConsumer
from .push_consumer import PushConsumer
from .queue_focus import PROBE_EVERY, QueueFocus
from .queue_probe import QueueProbe
from .served_queues import ServedQueues
from .wake_caller import WakeCaller
from .wake_consumer import WakeConsumer
from .wakeups import Wakeups

__all__ = ["FetchLoop"]

logger = logging.getLogger(__name__)

PATIENCE = 0.02
"""Seconds for which a busy agent keeps its consumers, and surplus, in the hope of a free slot."""

WAKE = 10.0
"""Seconds after which every wait here looks around again, though nothing tells it to."""


class FetchLoop:
    """Runs over one link; ends only with it, or when told to stop."""

    def __init__(
        self,
        link: Link,
        executor: TaskExecutor,
        sources: ServedQueues,
        fleet: Fleet,
        *,
        publisher: PublishesMessages,
        agent_id: str,
        timings: AgentTimings = DEFAULT_TIMINGS,
        rng: random.Random,
    ) -> None:
        self._link = link
        self._executor = executor
        self._rng = rng
        self._push_expected_within = timings.push_expected_within.total_seconds()
        self._wakeups = Wakeups(executor)
        self._probe = QueueProbe(link, sources, fleet, clock=self._wakeups.now, rng=rng)
        self._pull = PullConsumer(link, executor, sources)
        self._push = PushConsumer(link, executor, sources, agent_id=agent_id)
        self._focus = QueueFocus(executor, self._probe, self._push, self._wakeups)
        self._caller = WakeCaller(publisher, fleet, clock=self._wakeups.now)
        self._wake = WakeConsumer(link, executor, fleet, agent_id=agent_id, call=self._caller.call)
        self._rest = IdleWaiting(
            executor,
            sources,
            self._probe,
            self._push,
            self._wake,
            self._wakeups,
            fleet=fleet,
            timings=timings,
            rng=rng,
        )
        self._probed = -1.0
        """When, by the loop's clock, the queues were probed last."""
        self._found = ProbeResult()
        self._room: tuple[dict[TaskQueue, int], int] = ({}, 0)
        """`PushConsumer.rooms` and the free slots, right before the last probe."""
        self._pressed = self._wakeups.now()
        """When work last waited that consumers would not have brought."""
        self._awaited: tuple[int, float] | None = None
        """What had been pushed, and when, as something was first seen on its way since."""

    @property
    def last_turn(self) -> float:
        """When, by the loop's clock, it was last seen alive."""
        return self._wakeups.last_turn

    def stop(self) -> None:
        """Take nothing more; `run` returns soon after."""
        self._wakeups.stop()

    def hear_news(self) -> None:
        """The agent serves other queues from now on."""
        self._rest.hear_news()

    async def run(self) -> None:
        """Raises `ConnectionLost` where the link ends."""
        try:
            await self._run()
        finally:
            if not self._link.open:
                self._note_end()

    def _note_end(self) -> None:
        """Perhaps the broker could not deliver what was being taken."""
        for head in self._link.heads.all():
            was = head.ends
            head.connection_ended()
            if head.stuck and head.ends > was:
                logger.error(
                    "%s: %s. It is left alone for a while", undeliverable(head.queue), WHAT_TO_DO
                )

    async def _run(self) -> None:
        while not self._wakeups.stopped:
            try:
                await self._turn()
            except ChannelLost as exc:
                if not self._link.open:
                    raise ConnectionLost from exc
                logger.info("a channel was lost while taking", extra={"why": str(exc)})
                await self._wakeups.change(self._rng.uniform(0.1, 0.3))
        try:
            await self._push.stop()
        finally:
            self._executor.backlog.give_back_surplus(all_of_it=True)
            await self._wake.close()

    async def _turn(self) -> None:
        now = self._wakeups.turn()
        self._executor.changed.clear()  # what happens from here on is noticed by the next wait
        self._wake.woken = False
        await self._push.refresh()
        if not self._executor.free:
            self._pressed = now
            await self._while_full()
        elif len(self._executor.untold) >= MAX_UNTOLD:
            await self._wakeups.change(WAKE)
        else:
            found = await self._last_probe()
            if self._on_its_way(found):
                await self._rest(found, probed=self._probed, pressed=self._pressed)
            else:
                await self._work(found)

    # --- a slot is free -----------------------------------------------------------------------

    async def _last_probe(self) -> ProbeResult:
        """What it found while that is fresh, else what a new one finds."""
        age = self._wakeups.now() - self._probed
        if not self._found.waiting or age >= fresh_for(self._found.cost):
            # As it is when what waits is counted: what is pushed meanwhile takes none of it.
            self._room = (self._push.rooms, self._executor.free)
            self._found = await self._probe(self._executor.free)
            self._probed = self._wakeups.now()
        return self._found

    def _on_its_way(self, found: ProbeResult) -> bool:
        """Whether nothing waits but what is being pushed to this agent: a probe sees it just before."""
        if not found.waiting or not is_pushed(found, *self._room):
            self._awaited = None
            return not found.waiting
        now = self._wakeups.now()
        if self._awaited is None or self._awaited[0] != self._push.arrived:
            self._awaited = (self._push.arrived, now)
        return now - self._awaited[1] < self._push_expected_within

    async def _work(self, found: ProbeResult) -> None:
        executor = self._executor
        waiting = sum(one.ready for one in found.waiting)
        if self._push.on or waiting > executor.free:
            self._pressed = self._wakeups.now()
        await self._leave_rest(more=waiting - executor.free)
        best = found.waiting[0]
        free = executor.free
        if best.ready > free > 0 and is_brisk(
            executor.pace.mean(best.source), executor.slots.count
        ):
            await self._focus(best.source)
            self._found = ProbeResult()
        elif free:
            until = self._probed + fresh_for(found.cost) + PATIENCE
            taken, self._found = await self._pull(found, until=until)
            if not taken:  # others were quicker
                await self._wakeups.change(self._rng.uniform(0.1, 1.0) * SPACING)

    # --- no slot is free ----------------------------------------------------------------------

    async def _while_full(self) -> None:
        executor = self._executor
        if self._push.on:
            await self._wakeups.fact(lambda: executor.free > 0, PATIENCE)
            if executor.free:
                return
            await self._leave_rest()
            executor.backlog.give_back_surplus()
        elif executor.backlog:
            before = executor.ended
            await self._wakeups.fact(lambda: executor.free > 0, PROBE_EVERY)
            if executor.ended == before:
                executor.backlog.give_back_surplus()
        await self._leave_rest()
        await self._wakeups.fact(lambda: executor.free > 0, WAKE)

    async def _leave_rest(self, *, more: int | None = None) -> None:
        """Consume no queue any more; ``more`` is how many tasks wait that this agent cannot start, None where
        it did not look.
        """
        await self._wake.prove()
        leaves = {source.queue for source in self._push.on} | self._wake.left_over
        allowed = self._wake.take_allowed()
        if self._caller.found_work(more, allowed=allowed, leaves=frozenset(leaves)):
            self._wake.take_left_over()
        self._wake.stop()
        if self._push.on:
            await self._push.stop()
