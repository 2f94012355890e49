"""How the coordinator's figures hold with more processes, more agents and deeper queues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from .arena import Arena, Entry, say
from .contestants import COORDINATOR
from .drain import drained, slots_of
from .load import submit_for, task_body
from .processes import memory
from .results import told
from .scale import Scale
from .starts import Start

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
            rate = (await drained(arena, entry, scale.drained, processes=agents)).rate
            rows.append((f"drain, {agents} agents", rate, _memory(entry)))
    await _depths(arena, scale, rows)


@dataclass(slots=True)
class _Deep:
    """A queue that has ``depth`` tasks whenever something is measured."""

    depth: int
    entry: Entry
    missing: int
    taken: dict[int, list[float]]
    """Tasks a second, in each round, to the first so many starts."""
    submitted: list[float] = field(default_factory=list)
    """Tasks a second, in each round."""

    @property
    def name(self) -> str:
        return f"depth {_number(self.depth)}"

    async def filled(self, arena: Arena) -> None:
        await self.entry.fill(self.missing)
        self.missing = 0
        await arena.calm(self.entry)

    async def take(self, count: int) -> list[Start]:
        """A fresh agent takes the oldest tasks: so many at least, and then it is stopped."""
        self.entry.starts.forget()
        async with self.entry.workers(1, slots=slots_of(self.entry.contestant)):
            await self.entry.starts.reach(count, pause=0.01)
        starts = self.entry.starts.all()
        self.missing += len(starts)
        return starts


async def _depths(arena: Arena, scale: Scale, rows: list[_Row]) -> None:
    """Rounds alternate between the depths, so that a slow minute is not taken for a deep queue."""
    async with arena.entries([COORDINATOR] * len(scale.depths)) as entries:
        deep = [
            _Deep(depth, entry, depth, {first: [] for first in FIRST if first <= depth})
            for depth, entry in zip(scale.depths, entries, strict=True)
        ]
        try:
            for number in range(scale.rounds):
                await _round(arena, deep, scale, f"round {number + 1} of {scale.rounds}")
        finally:
            for first in FIRST:
                rows += (
                    (f"first {_number(first)} of {one.name}", median(rates), _memory(one.entry))
                    for one in deep
                    for rates in [one.taken.get(first)]
                    if rates
                )
            rows += (
                (f"submit, {one.name} and more", median(one.submitted), _memory(one.entry))
                for one in deep
                if one.submitted
            )


async def _round(arena: Arena, deep: Sequence[_Deep], scale: Scale, which: str) -> None:
    for one in deep:
        say(f"scaling: {one.name}, {which}")
        await one.filled(arena)
        starts = await one.take(max(one.taken))
        for first, rates in one.taken.items():
            rates.append(first / (starts[first - 1].at - starts[0].at))
    for one in deep:
        await one.filled(arena)
        rate, took = await submit_for(
            one.entry.base_url, task_body(priority="low"), seconds=scale.submit_seconds
        )
        one.submitted.append(rate)
        one.missing -= len(took)
        await one.take(len(took))


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _memory(entry: Entry) -> float:
    """MiB of the coordinator's processes."""
    return memory(entry.server.pid) / 2**20
