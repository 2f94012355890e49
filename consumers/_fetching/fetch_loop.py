"""How an agent takes its work: look, take, and never hold what it cannot run.

          ┌──────────────▶ a slot is free ◀──────────────┐
          │                      │                       │
          │                    look ── nothing ──▶ rest, at a few doors
          │                      │                       │ pushed
          │     few or slow ─────┴───── many and brisk   │
          │           │                       │          │
          └─────── take ◀───────────────── focus ◀───────┘

* look: passive declares, best priority first;
* take: one `basic.get` for each free slot; started at once;
* focus: tasks of a few milliseconds are pushed, as fast as plain prefetch, from the best queue while it
  is the best, with a look every 50 ms;
* rest: short naps, and after a quiet second (sooner with slots to spare) a seat at the door of a few
  queues: a consumer with a prefetch of one, or of its share of the free slots. Work that the seats
  bring by themselves leaves the agent where it sits. What a door pushes to an agent that is busy by
  then is given back.

Strict priority follows, but for what is in hand and for work that came since the last look.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from consumers._working.task_executor import TaskExecutor
from coordinator.broker.connection import Link
from coordinator.broker.undeliverable_head import WHAT_TO_DO, undeliverable
from coordinator.errors import ChannelLost, ConnectionLost
from coordinator.protocol.task_queue import TaskQueue

from .fetch_policy import (
    ProbeResult,
    Verdict,
    focus_window,
    fresh_for,
    is_brisk,
    is_pushed,
    nap,
    places,
    stay_focused,
    windows,
)
from .pull_consumer import PullConsumer
from .push_consumer import PushConsumer
from .queue_probe import PEEK, QueueProbe
from .served_queues import ServedQueues

__all__ = ["FetchLoop"]

logger = logging.getLogger(__name__)

PATIENCE = 0.02
"""Seconds for which a busy agent keeps its seats, and surplus, in the hope of a free slot."""

LOOK_EVERY = 0.05
"""Seconds between two looks of a focused agent."""

SPACING = 0.02
"""Seconds between two looks of a resting agent, however often it is woken."""

FULL_LOOK = 1.0
"""Seconds for which a resting agent only glances; then it looks at everything again, who sits where
included."""

QUIET = (1.0, 2.0)
"""Seconds without work, by chance between these, after which an agent takes a seat."""

QUIET_TO_SPARE = 0.05
"""The same for an agent that has slots to spare: it need not leave when it is given a task, so sitting
down costs the broker nothing again, and the next task starts as soon as it comes."""

AGAIN = 1.0
"""Seconds after which an agent with slots to spare takes a seat though tasks keep coming, if it got up
from none and saw no more of them than it has slots for."""

ON_ITS_WAY = 0.1
"""Seconds for which what waits where an agent sits, with room for all of it, is left to be pushed."""

MAX_UNTOLD = 400
"""Outcomes that the broker has not confirmed: with more, nothing is taken until it does."""

WAKE = 1.0
"""Seconds after which every wait here looks around again."""


class FetchLoop:
    """The loop over one link; ends only with it, or when told to stop."""

    def __init__(
        self,
        link: Link,
        executor: TaskExecutor,
        sources: ServedQueues,
        *,
        agent_id: str,
        rng: random.Random,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._link = link
        self._executor = executor
        self._sources = sources
        self._rng = rng
        self._look = QueueProbe(link, sources, clock=self._loop.time, rng=rng)
        self._take = PullConsumer(link, executor, sources)
        self._push = PushConsumer(link, executor, sources, agent_id=agent_id)
        self._quiet = rng.uniform(*QUIET)
        self._looked = -1.0
        self._sight = ProbeResult()
        self._room: tuple[dict[TaskQueue, int], int] = ({}, 0)
        """`PushConsumer.rooms` and the free slots, right before the last look."""
        self._pressed = self._loop.time()
        """When work last waited that a seat would not have brought."""
        self._awaited: tuple[int, float] | None = None
        """What had been pushed, and when, as something was first seen on its way since."""
        self._stop = asyncio.Event()
        self.last_turn = self._loop.time()
        """When the loop was last seen alive."""

    def stop(self) -> None:
        """PullConsumer nothing more; `run` returns soon after."""
        self._stop.set()
        self._executor.changed.set()

    async def run(self) -> None:
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
        while not self._stop.is_set():
            try:
                await self._turn()
            except ChannelLost as exc:
                if not self._link.open:
                    raise ConnectionLost from exc
                logger.info("a channel was lost while taking", extra={"why": str(exc)})
                await self._wait(self._rng.uniform(0.1, 0.3))
        try:
            await self._push.stop()
        finally:
            self._executor.give_back_surplus(all_of_it=True)

    async def _turn(self) -> None:
        self.last_turn = self._loop.time()
        self._executor.changed.clear()  # what happens from here on is noticed by the next wait
        await self._push.refresh()
        if not self._executor.free:
            self._pressed = self.last_turn
            await self._while_full()
        elif self._executor.untold >= MAX_UNTOLD:
            await self._wait(WAKE)
        else:
            sight = await self._see()
            if self._on_its_way(sight):
                await self._rest(sight)
            else:
                await self._work(sight)

    # --- a slot is free -----------------------------------------------------------------------

    async def _see(self) -> ProbeResult:
        """The last look while it is fresh, else a new one."""
        age = self._loop.time() - self._looked
        if not self._sight.waiting or age >= fresh_for(self._sight.cost):
            # As it is when what waits is counted: what is pushed meanwhile takes none of it.
            self._room = (self._push.rooms, self._executor.free)
            self._sight = await self._look(self._executor.free)
            self._looked = self._loop.time()
        return self._sight

    def _on_its_way(self, sight: ProbeResult) -> bool:
        """Whether nothing waits but what is being pushed to this agent: a look sees it just before."""
        if not sight.waiting or not is_pushed(sight, *self._room):
            self._awaited = None
            return not sight.waiting
        now = self._loop.time()
        if self._awaited is None or self._awaited[0] != self._push.arrived:
            self._awaited = (self._push.arrived, now)
        return now - self._awaited[1] < ON_ITS_WAY

    async def _work(self, sight: ProbeResult) -> None:
        if self._push.on or sum(one.ready for one in sight.waiting) > self._executor.free:
            self._pressed = self._loop.time()
        if self._push.on:
            await self._push.stop()
        best = sight.waiting[0]
        free = self._executor.free
        if best.ready > free > 0 and is_brisk(
            self._executor.pace.mean(best.source), self._executor.slots
        ):
            await self._focus(best.source)
            self._sight = ProbeResult()
        elif free:
            until = self._looked + fresh_for(sight.cost) + PATIENCE
            taken, self._sight = await self._take(sight, until=until)
            if not taken:  # others were quicker
                await self._wait(self._rng.uniform(0.1, 1.0) * SPACING)

    async def _focus(self, source: TaskQueue) -> None:
        mean = self._executor.pace.mean(source)
        window = focus_window(mean, self._executor.free)
        began = last_any = self._loop.time()
        await self._push.start(source, what="focus", window=window)
        verdict = Verdict.STAY
        stuck = False
        while verdict is Verdict.STAY and self._push.on and not self._stop.is_set():
            before = self._executor.ended
            await self._pause(LOOK_EVERY)
            now = self.last_turn = self._loop.time()
            if self._executor.backlog and self._executor.ended == before:
                stuck = True  # slow ones among them: what waits behind them is for others
                break
            sight = await self._look(1)
            if self._executor.backlog or any(w.source == source for w in sight.waiting):
                last_any = now
            mean = self._executor.pace.mean(source)
            verdict = stay_focused(
                source,
                sight,
                brisk=is_brisk(mean, self._executor.slots) and self._executor.untold < MAX_UNTOLD,
                idle=self._executor.free > 0,
                focused_for=now - began,
                dry_for=now - last_any,
            )
            if focus_window(mean, self._executor.slots) > 2 * window and self._executor.free:
                break  # there is room for more
        await self._push.stop()
        if stuck:
            self._executor.give_back_surplus()

    # --- nothing waits ------------------------------------------------------------------------

    async def _rest(self, sight: ProbeResult) -> None:
        now = self._loop.time()
        quiet, to_spare = now - self._executor.last_change, self._executor.free > 1
        if quiet > (QUIET_TO_SPARE if to_spare else self._quiet) or (
            to_spare and now - self._pressed > AGAIN
        ):
            doors = places(sight.depths or {}, self._push.on, self._rng)
            free = self._executor.free - sum(self._push.rooms.values())
            for source, window in zip(
                doors, windows(doors, free, self._executor.pace.lately), strict=True
            ):
                if not self._executor.free or self._stop.is_set():
                    return
                await self._push.start(source, what="door", window=window)
        glances = -(-len(self._sources) // PEEK)
        full_look = self._looked + max(FULL_LOOK, 4 * sight.cost)
        while not self._executor.changed.is_set() and self._loop.time() < full_look:
            self.last_turn = self._loop.time()
            quiet = self._loop.time() - self._executor.last_change
            await self._wait(nap(quiet, glances, self._rng))
            if self._executor.changed.is_set() or await self._look.peek():
                break
        early = self._looked + SPACING - self._loop.time()
        if early > 0 and self._executor.free:
            await self._pause(early)

    # --- no slot is free ----------------------------------------------------------------------

    async def _while_full(self) -> None:
        if self._push.on:
            await self._wait_for(lambda: self._executor.free > 0, PATIENCE)
            if self._executor.free:
                return
            await self._push.stop()
            self._executor.give_back_surplus()
        elif self._executor.backlog:
            before = self._executor.ended
            await self._wait_for(lambda: self._executor.free > 0, LOOK_EVERY)
            if self._executor.ended == before:
                self._executor.give_back_surplus()
        await self._wait_for(lambda: self._executor.free > 0, WAKE)

    # --- waiting ------------------------------------------------------------------------------

    async def _wait_for(self, fact: Callable[[], bool], seconds: float) -> None:
        """Until ``fact`` is true, or the time is up, or the loop is told to stop."""
        until = self._loop.time() + seconds
        while not fact() and not self._stop.is_set():
            left = until - self._loop.time()
            if left <= 0:
                return
            self._executor.changed.clear()
            await self._wait(left)

    async def _wait(self, seconds: float) -> None:
        """Until something arrives or finishes, or the time is up."""
        await _within(seconds, self._executor.changed.wait())

    async def _pause(self, seconds: float) -> None:
        """Until the time is up, or the loop is told to stop."""
        await _within(seconds, self._stop.wait())


async def _within(seconds: float, waiting: Awaitable[object]) -> None:
    try:
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return
