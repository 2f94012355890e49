"""Measures what a fleet costs that has nothing to do, and how quickly it wakes.

Agents of one slot each, in a few processes, serve the queues of some lanes at all priorities. Measured are
the CPU of broker, agents and coordinator while nothing is submitted, their heartbeats included; then, with
the largest fleet, how long one task waits for it, and a burst of one task for each agent. Beside that fleet
stand plain consumers of the same queues, which hold whatever the broker pushes: a limit.
"""

from __future__ import annotations

import asyncio
import math
import re
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from coordinator.protocol.priority import Priority
from tests.e2e.processes import Process, spawned

from .arena import PATIENCE, Arena, Entry, say
from .contestants import LIMITS, Contestant
from .costs import cpu_of
from .idle_fleet import READY
from .idle_wakes import Lanes, burst, one_by_one
from .results import Results, quantile
from .scale import Scale

__all__ = ["PLAIN", "extrapolated", "idle"]

PLAIN = LIMITS[-1].name
"""The column of plain consumers."""

PROCESSES = 4
REST = 8.0
"""Seconds in which a fleet that had work sleeps again, if not as deeply as after `Scale.idle_rest`."""

MORE = 5_000
"""Agents whose cost is told by extrapolation."""

_fleet = str(Path(__file__).with_name("idle_fleet.py"))


async def idle(arena: Arena, results: Results, scale: Scale) -> None:
    """All take turns at each size, since a fleet of another would be in the broker's figure."""
    ours = [one for one in arena.compared if not one.peer]
    measured: dict[str, _Points] = {one.name: _Points([], 0.0) for one in ours}
    for step in _steps(scale):
        for contestant in ours:
            say(f"{step.fleet}: {contestant.name}")
            async with arena.entry(contestant) as entry:
                points = await _measured(arena, entry, results, step, scale)
                if step.lanes == scale.idle_lanes[0]:
                    measured[contestant.name].add(points)
                if contestant is ours[0] and step.largest:
                    say(f"{step.fleet}: plain consumers")
                    await _plain(arena, entry, results, step, scale)
    for name, points in measured.items():
        if len(points.sizes) > 1:
            what = f"{MORE} idle agents, by extrapolation: broker, %"
            value = extrapolated(points.sizes, MORE, without=points.without)
            results.note(what, name, value, less_is_better=True)


def extrapolated(points: Sequence[tuple[int, float]], where: int, *, without: float = 0.0) -> float:
    """What ``where`` agents cost, by those that were measured, and what is taken ``without`` any: by the line
    of least squares, or by the power of the fleet's size that fits best, whichever is more.
    """
    slope, start = statistics.linear_regression(*zip(*points, strict=True))
    line = slope * where + start
    logs = [(math.log(size), math.log(cost - without)) for size, cost in points if cost > without]
    if len(logs) < len(points):
        return line
    power, factor = statistics.linear_regression(*zip(*logs, strict=True))
    return max(line, without + math.exp(factor + power * math.log(where)))


@dataclass(frozen=True, slots=True)
class _Step:
    agents: int
    lanes: int
    largest: bool
    """Whether it is measured how it wakes, too, what is taken without it, and by plain consumers."""

    @property
    def queues(self) -> str:
        return f"{self.lanes * len(Priority)} queues"

    @property
    def fleet(self) -> str:
        return f"{self.agents} idle agents, {self.queues}"


def _steps(scale: Scale) -> Iterator[_Step]:
    """All sizes with the first number of lanes; the largest with the others."""
    largest = scale.idle_agents[-1]
    for lanes in scale.idle_lanes:
        sizes = scale.idle_agents if lanes == scale.idle_lanes[0] else (largest,)
        for agents in sizes:
            yield _Step(agents, lanes, agents == largest)


@dataclass(slots=True)
class _Points:
    sizes: list[tuple[int, float]]
    """How many agents, and percents of the broker."""
    without: float
    """Its percents without any, from when the largest fleet was measured."""

    def add(self, other: _Points) -> None:
        self.sizes += other.sizes
        self.without = other.without


@dataclass(frozen=True, slots=True)
class _Used:
    """Percents of a core."""

    broker: float
    coordinator: float
    fleet: float


async def _used(arena: Arena, entry: Entry, fleet: Sequence[Process], seconds: float) -> _Used:
    clocks = [cpu_of(pid) for pid in (arena.node.pid, entry.server.pid)]
    clocks.append(cpu_of(*(process.pid for process in fleet)))
    began, before = time.monotonic(), [clock() for clock in clocks]
    await asyncio.sleep(seconds)
    took, after = time.monotonic() - began, [clock() for clock in clocks]
    return _Used(*(100 * (late - early) / took for early, late in zip(before, after, strict=True)))


async def _measured(
    arena: Arena, entry: Entry, results: Results, step: _Step, scale: Scale
) -> _Points:
    def note(what: str, value: float) -> None:
        results.note(what, entry.name, value, less_is_better=True)

    lanes = Lanes(step.lanes)
    await lanes.open(entry)
    without = 0.0
    if step.largest:
        await arena.calm(entry)
        nobody = await _used(arena, entry, (), scale.idle_seconds)
        note(f"no agents, {step.queues}: broker, %", nobody.broker)
        note(f"no agents, {step.queues}: coordinator, %", nobody.coordinator)
        without = nobody.broker
    async with _fleet_of(entry, "agents", step, scale) as fleet:
        used = await _used(arena, entry, fleet, scale.idle_seconds)
        note(f"{step.fleet}: broker, %", used.broker)
        note(f"{step.fleet}: coordinator, %", used.coordinator)
        note(f"{step.fleet}: each agent, %", used.fleet / step.agents)
        if step.largest:
            await _waking(entry, entry.name, results, step, scale)
    return _Points([(step.agents, used.broker)], without)


async def _plain(arena: Arena, entry: Entry, results: Results, step: _Step, scale: Scale) -> None:
    async with _fleet_of(entry, "plain", step, scale) as fleet:
        used = await _used(arena, entry, fleet, scale.idle_seconds)
        results.note(f"{step.fleet}: broker, %", PLAIN, used.broker)
        results.note(f"{step.fleet}: each agent, %", PLAIN, used.fleet / step.agents)
        await _waking(entry, PLAIN, results, step, scale)


async def _waking(entry: Entry, who: str, results: Results, step: _Step, scale: Scale) -> None:
    lanes = Lanes(step.lanes)

    def note(what: str, value: float) -> None:
        results.note(what, who, 1000 * value, less_is_better=True)

    waits = await one_by_one(entry, lanes, scale.idle_tasks)
    note(f"{step.fleet}: one task, p50, ms", quantile(waits, 0.5))
    note(f"{step.fleet}: one task, p99, ms", quantile(waits, 0.99))
    size = min(step.agents, scale.idle_burst)
    for _ in range(scale.idle_bursts):
        for where, some in (("one queue", Lanes(1)), ("all queues", lanes)):
            await asyncio.sleep(REST)
            waits = await burst(entry, some, size)
            note(f"{step.fleet}: {size} at once to {where}, median, ms", quantile(waits, 0.5))
            note(f"{step.fleet}: {size} at once to {where}, last, ms", max(waits))


@asynccontextmanager
async def _fleet_of(
    entry: Entry, kind: str, step: _Step, scale: Scale
) -> AsyncIterator[list[Process]]:
    """At rest."""
    count, share = step.agents, -(-step.agents // PROCESSES)
    contestant: Contestant = entry.contestant
    async with AsyncExitStack() as stack:
        fleet = [
            await stack.enter_async_context(
                spawned(
                    *(contestant.python, _fleet, kind, str(first), str(min(share, count - first))),
                    *Lanes(step.lanes).queues,
                    output=entry.folder / f"fleet-{kind}-{count}-{first}.out",
                    environment=entry.environment,
                    folder=contestant.root,
                )
            )
            for first in range(0, count, share)
        ]
        for process in fleet:
            await process.prints(re.compile(READY), within=PATIENCE)
        await asyncio.sleep(scale.idle_rest)
        yield fleet
