"""An agent that falls asleep does all that is due before it does, however long the broker takes to answer."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import Any

from consumers._fetching.fetch_policy import ProbeResult
from consumers._fetching.fleet import Fleet
from consumers._fetching.idle_waiting import QUIET, IdleWaiting
from consumers.agent_timings import DEFAULT_TIMINGS
from coordinator.broker.channel import Depth
from tests.support.field import any_lane

QUEUE = any_lane()
EMPTY = {QUEUE: Depth(ready=0, consumers=0)}
BUSY = QUIET[1] + 1.0
"""Seconds that the broker takes to answer: longer than an agent is quiet before it consumes."""


class Clock:
    """Stands for `Wakeups`: waiting costs no time, and moves the clock."""

    stopped = False

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    turn = now

    async def change(self, seconds: float) -> None:
        self.seconds += seconds

    pause = change


async def test_an_agent_consumes_though_it_became_time_while_it_fell_asleep() -> None:
    clock, consumed_at = Clock(), list[float]()
    executor = SimpleNamespace(
        changed=asyncio.Event(), last_change=0.0, free=1, pace=SimpleNamespace(lately={})
    )

    class Wake:
        on = woken = False

        def take_allowed(self) -> None:
            """Nobody has called."""

        def take_left_over(self) -> frozenset[str]:
            return frozenset()

        async def start(self, *, consumes_queues: bool) -> None:
            if not self.on:
                clock.seconds += BUSY
            self.on = True

    class Push:
        on: frozenset[Any] = frozenset()
        rooms: dict[Any, int] = {}  # noqa: RUF012 - nothing is pushed

        async def start(self, source: object, *, what: str, window: int) -> None:
            assert (source, what, window) == (QUEUE, "door", 1)
            consumed_at.append(clock.seconds)
            executor.changed.set()

    class Probe:
        async def peek(self) -> dict[Any, Depth]:
            return EMPTY

    fleet = Fleet()
    fleet.counted(1000)
    ports: Any = (executor, [QUEUE], Probe(), Push(), Wake(), clock)
    rest = IdleWaiting(
        *ports,
        fleet=fleet,
        timings=DEFAULT_TIMINGS,
        rng=random.Random(1),
    )
    await rest(ProbeResult(depths=EMPTY), probed=0.0, pressed=0.0)
    assert len(consumed_at) == 1
    assert consumed_at[0] < 2 * BUSY + 1.0
