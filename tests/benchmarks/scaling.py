"""How the coordinator's figures hold with more processes, more agents and deeper queues."""

from __future__ import annotations

import statistics

from .arena import Arena, Entry, say
from .contestants import COORDINATOR
from .drain import drained, slots_of
from .load import submit_for, task_body
from .processes import memory
from .results import told
from .scale import Scale

__all__ = ["scaling"]

WORKERS = (1, 2, 4)
AGENTS = (1, 2, 4, 8, 16)
FIRST = (1_000, 10_000)
"""Tasks that are taken from a queue's head: as many at each depth, so that the rates compare."""

_Row = tuple[str, float, float]
"""What, tasks a second, MiB."""


async def scaling(arena: Arena, scale: Scale) -> None:
    """Prints its own table, of what was measured by then where something goes wrong."""
    rows: list[_Row] = []
    try:
        await _measure(arena, scale, rows)
    finally:
        print()
        print(f"| {'scaling':<34} | {'unit':<8} | {'figure':>10} | {'coordinator, MiB':>16} |")
        print(f"| {'-' * 34} | {'-' * 8} | {'-' * 10} | {'-' * 16} |")
        for name, figure, mebibytes in rows:
            print(f"| {name:<34} | {'tasks/s':<8} | {told(figure):>10} | {told(mebibytes):>16} |")


async def _measure(arena: Arena, scale: Scale, rows: list[_Row]) -> None:
    for workers in WORKERS:
        say(f"scaling: {workers} HTTP workers")
        async with arena.entry(COORDINATOR, workers=workers) as entry:
            await submit_for(entry.base_url, task_body(), seconds=0.5)
            rate, _ = await submit_for(
                entry.base_url, task_body(), seconds=2 * scale.submit_seconds
            )
            await entry.settled()
            rows.append((f"submit, {workers} HTTP workers", rate, _memory(entry)))
    async with arena.entry(COORDINATOR) as entry:
        for agents in AGENTS:
            say(f"scaling: {agents} agents")
            rate = (await drained(entry, scale.drained, processes=agents)).rate
            rows.append((f"drain, {agents} agents", rate, _memory(entry)))
    for depth in scale.depths:
        say(f"scaling: a queue of {depth} tasks")
        async with arena.entry(COORDINATOR) as entry:
            await _at_depth(arena, entry, depth, scale, rows)


async def _at_depth(arena: Arena, entry: Entry, depth: int, scale: Scale, rows: list[_Row]) -> None:
    """One agent takes the oldest tasks, round after round from the same depth; then more come in."""
    what = f"depth {depth:,}".replace(",", " ")
    taken: dict[int, list[float]] = {first: [] for first in FIRST if first <= depth}
    missing = depth
    for _ in range(scale.rounds):
        await entry.fill(missing)
        await arena.calm(entry)
        entry.starts.forget()
        async with entry.workers(1, slots=slots_of(entry.contestant)):
            await entry.starts.reach(max(taken), pause=0.01)
        starts = entry.starts.all()
        for first, rates in taken.items():
            rates.append(first / (starts[first - 1].at - starts[0].at))
        missing = len(starts)
    for first, rates in taken.items():
        name = f"first {first:,} tasks of {what}".replace(",", " ")
        rows.append((name, statistics.median(rates), _memory(entry)))
    await entry.fill(missing)
    await arena.calm(entry)
    body = task_body(priority="low")
    submitted = [
        (await submit_for(entry.base_url, body, seconds=1))[0] for _ in range(scale.rounds)
    ]
    rows.append((f"submit, {what} and more", statistics.median(submitted), _memory(entry)))


def _memory(entry: Entry) -> float:
    """MiB of the coordinator's processes."""
    return memory(entry.server.pid) / 2**20
