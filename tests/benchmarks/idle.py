"""What a fleet costs that has nothing to do, and how quickly it wakes.

Agents of one slot each, in a few processes, serve the queues of some lanes at all priorities. Measured are
the CPU of broker, agents and coordinator while nothing is submitted, their heartbeats included; then how long
one task waits for the sleeping fleet, and a burst of one task for each of it.
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from coordinator.protocol.priority import Priority
from tests.e2e.processes import Process, spawned

from .arena import PATIENCE, Arena, Entry, say
from .contestants import LIMITS
from .idle_fleet import READY
from .load import submit_one, task_body
from .processes import cpu_seconds
from .results import Results, quantile
from .scale import Scale

__all__ = ["extrapolated", "idle"]

PROCESSES = 4
REST = 5.0
"""Seconds in which a fleet that was at work comes to rest."""

BURST_LASTS = 2.0
"""Seconds that each task of a burst takes: longer than all of them need to start."""

MORE = 5_000
"""Agents that are told by extrapolation."""

_fleet = str(Path(__file__).with_name("idle_fleet.py"))


async def idle(arena: Arena, results: Results, scale: Scale) -> None:
    ours = [one for one in arena.compared if not one.peer]
    costs: dict[str, list[tuple[int, float]]] = {}
    for contestant in ours:
        for lanes in scale.idle_lanes:
            for agents in (
                scale.idle_agents if lanes == scale.idle_lanes[0] else scale.idle_agents[-1:]
            ):
                what = f"{agents} idle agents, {lanes * len(Priority)} queues"
                say(f"{what}: {contestant.name}")
                async with arena.entry(contestant) as entry:
                    queues = await _opened(entry, lanes)
                    async with _fleet_of(entry, "agents", agents, queues) as fleet:
                        broker = await _resting(arena, entry, results, what, fleet, scale)
                        if lanes == scale.idle_lanes[0]:
                            costs.setdefault(contestant.name, []).append((agents, broker))
                        await _waking(entry, results, what, scale)
                    if contestant is ours[0] and any(one in arena.compared for one in LIMITS):
                        async with _fleet_of(entry, "plain", agents, queues):
                            used, _ = await _used(arena, entry, (), scale)
                            results.note(_broker(what), LIMITS[-1].name, used[0])
    for name, points in costs.items():
        if len(points) > 1:
            what = f"{MORE} idle agents, by extrapolation: broker, %"
            results.note(what, name, extrapolated(points, MORE), less_is_better=True)


def extrapolated(points: Sequence[tuple[int, float]], where: int) -> float:
    """The line of least squares through ``points``, at ``where``."""
    slope, start = statistics.linear_regression(*zip(*points, strict=True))
    return slope * where + start


def _broker(what: str) -> str:
    return f"{what}: broker, %"


async def _opened(entry: Entry, lanes: int) -> list[str]:
    """The queues of so many lanes, of which the first asks for nothing; open, and empty."""
    for lane in range(lanes):
        for priority in Priority:
            body = {
                "task_data": {"text": "open"},
                "priority": priority.value,
                "requirements": {"capabilities": [f"c{lane}"]} if lane else {},
            }
            (await entry.http.post("/tasks/submit", json=body)).raise_for_status()
    for priority in Priority:
        cleared = await entry.http.post(f"/tasks/queues/{priority.value}/clear")
        cleared.raise_for_status()
    names = ["any", *(f"cap:c{lane}" for lane in range(1, lanes))]
    return [f"tasks.{name}.{priority.value}" for name in names for priority in Priority]


@asynccontextmanager
async def _fleet_of(
    entry: Entry, kind: str, count: int, queues: Sequence[str]
) -> AsyncIterator[list[Process]]:
    share = -(-count // PROCESSES)
    python = str(entry.contestant.python)
    async with AsyncExitStack() as stack:
        fleet = [
            await stack.enter_async_context(
                spawned(
                    *(python, _fleet, kind, str(first), str(min(share, count - first)), *queues),
                    output=entry.folder / f"fleet-{kind}-{count}-{first}.out",
                    environment=entry.environment,
                    folder=entry.contestant.root,
                )
            )
            for first in range(0, count, share)
        ]
        for process in fleet:
            await process.prints(re.compile(READY), within=PATIENCE)
        await asyncio.sleep(REST)
        yield fleet


async def _resting(
    arena: Arena,
    entry: Entry,
    results: Results,
    what: str,
    fleet: Sequence[Process],
    scale: Scale,
) -> float:
    """Note what all take; the broker's percents."""
    (broker, coordinator, agents), count = await _used(arena, entry, fleet, scale)
    assert count == len(fleet)
    results.note(_broker(what), entry.name, broker, less_is_better=True)
    results.note(f"{what}: coordinator, %", entry.name, coordinator, less_is_better=True)
    each = agents / int(what.split(maxsplit=1)[0])
    results.note(f"{what}: each agent, %", entry.name, each, less_is_better=True)
    return broker


async def _used(
    arena: Arena, entry: Entry, fleet: Sequence[Process], scale: Scale
) -> tuple[tuple[float, float, float], int]:
    """Percents of a core, of broker, coordinator and fleet, over some seconds; and the fleet's processes."""

    def now() -> tuple[float, float, float]:
        agents = sum(cpu_seconds(one.pid) for one in fleet)
        return cpu_seconds(arena.node.pid), cpu_seconds(entry.server.pid), agents

    began, before = time.monotonic(), now()
    await asyncio.sleep(scale.idle_seconds)
    took, after = time.monotonic() - began, now()
    broker, coordinator, agents = (
        100 * (late - early) / took for early, late in zip(before, after, strict=True)
    )
    return (broker, coordinator, agents), len(fleet)


async def _waking(entry: Entry, results: Results, what: str, scale: Scale) -> None:
    entry.starts.forget()
    for number in range(scale.idle_tasks):
        await submit_one(entry.base_url, task_body())
        await entry.starts.reach(number + 1, pause=0.01)
        await asyncio.sleep(random.uniform(0.1, 0.5))
    waits = [start.at - start.sent for start in entry.starts.all()]
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        note = f"  one task for {what.split(',', maxsplit=1)[0]}, {name}, ms"
        results.note(note, entry.name, 1000 * quantile(waits, share), less_is_better=True)
    await asyncio.sleep(REST)
    burst = min(int(what.split(maxsplit=1)[0]), scale.idle_burst)
    entry.starts.forget()
    bodies = b",".join(task_body(seconds=BURST_LASTS)() for _ in range(burst))
    began = time.time()
    sent = await entry.http.post(
        "/tasks/submit/batch",
        content=b'{"tasks": [%b]}' % bodies,
        headers={"Content-Type": "application/json"},
    )
    sent.raise_for_status()
    await entry.starts.reach(burst)
    took = [start.at - began for start in entry.starts.all()]
    for share, name in ((0.5, "median"), (1.0, "last")):
        note = f"{what}: a burst of {burst}, {name}, ms"
        results.note(note, entry.name, 1000 * quantile(took, share), less_is_better=True)
