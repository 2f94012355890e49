"""What is done to the system: a seeded choice of faults, some at the same time, each on one target.

A fault undoes itself: what was killed is started again, what was suspended goes on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tests.support.waiting import eventually

__all__ = ["RESTARTED", "Fault", "Faults", "Injected", "say"]

AT_ONCE = 3
PAUSE = (0.2, 1.5)
"""Seconds between the beginnings of two faults, where there is room for another."""

RESTARTED = "agent restarted"
"""In good order: what it had in hand comes back, and nothing that it did."""

IN_STEP = 600.0
"""Seconds within which the load catches up with the faults."""


@dataclass(slots=True)
class Injected:
    """A fault that was. Instants are seconds since 1970."""

    kind: str
    target: str
    agents: frozenset[str]
    """Those that may have lost what they had in hand."""
    began: float = field(default_factory=time.time)
    ended: float = float("inf")
    """When all was as before, as far as the one who did it can tell."""

    def hits(self, agent: str) -> bool:
        return agent in self.agents


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A kind of fault on one target; two on the same target are never at the same time."""

    kind: str
    target: str
    weight: float
    inject: Callable[[random.Random], Awaitable[None]]
    """Do it, and undo it."""
    agents: frozenset[str] = frozenset()


class Faults:
    """Injects until there were enough; ``may_go_on`` keeps it in step with the load."""

    def __init__(
        self, possible: Sequence[Fault], *, rng: random.Random, may_go_on: Callable[[], bool]
    ) -> None:
        self._possible = possible
        self._rng = rng
        self._may_go_on = may_go_on
        self._busy: set[str] = set()
        self.injected: list[Injected] = []

    async def run(self, count: int) -> None:
        """Every kind comes at least once, where there is room for all."""
        first = self._one_of_each_kind()
        room = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as going:
            while len(self.injected) < count:
                await room.acquire()
                await eventually(self._may_go_on, timeout=IN_STEP)
                fault = await self._next(first)
                done = Injected(fault.kind, fault.target, fault.agents)
                self.injected.append(done)
                self._busy.add(fault.target)
                going.create_task(self._do(fault, done, room))
                await asyncio.sleep(self._rng.uniform(*PAUSE))

    def _one_of_each_kind(self) -> list[Fault]:
        by_kind: dict[str, list[Fault]] = {one.kind: [] for one in self._possible}
        for one in self._possible:
            by_kind[one.kind].append(one)
        first = [self._rng.choice(ones) for ones in by_kind.values()]
        self._rng.shuffle(first)
        return first

    async def _next(self, first: list[Fault]) -> Fault:
        while True:
            free = [one for one in self._possible if one.target not in self._busy]
            for one in first:
                if one in free:
                    first.remove(one)
                    return one
            if free:
                return self._rng.choices(free, [one.weight for one in free])[0]
            await asyncio.sleep(0.05)

    async def _do(self, fault: Fault, done: Injected, room: asyncio.Semaphore) -> None:
        try:
            say(f"{fault.kind}: {fault.target}")
            await fault.inject(self._rng)
        finally:
            done.ended = time.time()
            self._busy.discard(fault.target)
            room.release()


def say(what: str) -> None:
    """To whoever follows the run, or reads later what it did."""
    print(time.strftime("%H:%M:%S"), what, flush=True)
