"""How the coordinator's figures hold with more processes, more agents and deeper queues."""

from __future__ import annotations

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


async def scaling(arena: Arena, scale: Scale) -> None:
    """Prints its own table."""
    rows: list[tuple[str, str, float, float]] = []
    for workers in WORKERS:
        say(f"scaling: {workers} HTTP workers")
        async with arena.entry(COORDINATOR, workers=workers) as entry:
            await submit_for(entry.base_url, task_body(), seconds=0.5)
            rate, _ = await submit_for(
                entry.base_url, task_body(), seconds=2 * scale.submit_seconds
            )
            await entry.settled()
            rows.append((f"submit, {workers} HTTP workers", "tasks/s", rate, _memory(entry)))
    async with arena.entry(COORDINATOR) as entry:
        for agents in AGENTS:
            say(f"scaling: {agents} agents")
            rate = (await drained(entry, scale.drained, processes=agents)).rate
            rows.append((f"drain, {agents} agents", "tasks/s", rate, _memory(entry)))
    for depth in scale.depths:
        async with arena.entry(COORDINATOR) as entry:
            say(f"scaling: a queue of {depth} tasks")
            await entry.fill(depth)
            rate, _ = await submit_for(
                entry.base_url, task_body(priority="low"), seconds=2 * scale.submit_seconds
            )
            await entry.settled()
            what = f"depth {depth:,}".replace(",", " ")
            rows.append((f"submit, {what}", "tasks/s", rate, _memory(entry)))
            rate = await _start_of_drain(entry, depth)
            rows.append((f"drain, {what}", "tasks/s", rate, _memory(entry)))
    print()
    print(f"| {'scaling':<34} | {'unit':<8} | {'figure':>10} | {'coordinator, MiB':>16} |")
    print(f"| {'-' * 34} | {'-' * 8} | {'-' * 10} | {'-' * 16} |")
    for name, unit, figure, mebibytes in rows:
        print(f"| {name:<34} | {unit:<8} | {told(figure):>10} | {told(mebibytes):>16} |")


async def _start_of_drain(entry: Entry, depth: int) -> float:
    """Over the first tasks of the queue: as many at each depth."""
    first = min(depth, 10_000)
    entry.starts.forget()
    async with entry.workers(1, slots=slots_of(entry.contestant)):
        await entry.starts.reach(first, pause=0.01)
        starts = entry.starts.all()[:first]
    return first / (starts[-1].at - starts[0].at)


def _memory(entry: Entry) -> float:
    """MiB of the coordinator's processes."""
    return memory(entry.server.pid) / 2**20
