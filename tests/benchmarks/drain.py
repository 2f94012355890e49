"""Tasks a second from a backlog of no-ops, from the first start to the last: one worker process, and
four. The coordinator's agents tell of every start and end meanwhile, and the ledger records it, on the
same machine; the peers record nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from .arena import Arena, Entry, in_turn, say
from .contestants import Contestant
from .costs import Costs, cpu_of, note_costs
from .load import submit_one, task_body
from .results import Results
from .scale import Scale

__all__ = ["Drained", "drain", "drained", "slots_of"]

PROCESSES = (1, 4)


def slots_of(contestant: Contestant) -> int:
    """What each is quickest with."""
    if not contestant.peer:
        return 16
    return 8 if contestant.blocking else 100


async def drain(arena: Arena, results: Results, scale: Scale) -> None:
    contestants = [one for one in arena.compared if one.works]
    async with arena.entries(contestants) as entries:
        for entry in entries:
            await _announced(entry)
        for number in range(max(1, scale.rounds // 2)):
            for processes in PROCESSES:
                say(f"drain, round {number + 1}, {processes} processes")
                for entry in in_turn(entries, number):
                    one = await drained(arena, entry, scale.drained, processes=processes)
                    what = f"drain, {processes} process{'es' if processes > 1 else ''}"
                    results.note(f"{what}, tasks/s", entry.name, one.rate)
                    if one.recorded is not None:
                        note = f"  until the ledger has all, {processes}, tasks/s"
                        results.note(note, entry.name, one.recorded)
                    note_costs(results, entry.name, one.costs, where=f", {processes}")


async def _announced(entry: Entry) -> None:
    """A worker has been there: tasks of a type that nobody ever announced are moved to its lane first."""
    async with entry.workers(1, slots=1):
        await submit_one(entry.base_url, task_body())
        await entry.starts.reach(1)
    await entry.settled()


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    rate: float
    """Tasks a second to the last start."""
    recorded: float | None
    """Tasks a second to the last end in the ledger."""
    costs: dict[str, float]
    """Seconds of CPU a task: of the workers once they are at work, and of the broker, and a server that
    has a ledger, until the last end is in it."""


async def drained(arena: Arena, entry: Entry, count: int, *, processes: int) -> Drained:
    """From a queue of ``count`` tasks, once the broker is at rest after the filling."""
    before = 0 if entry.contestant.peer else await entry.completed()
    await entry.fill(count)
    await arena.calm(entry)
    entry.starts.forget()
    recorded = None
    ledger = {} if entry.contestant.peer else {"server": cpu_of(entry.server.pid)}
    others = Costs(broker=cpu_of(arena.node.pid), **ledger)
    async with entry.workers(processes, slots=slots_of(entry.contestant)) as workers:
        await entry.starts.reach(count // 20)
        of_workers = Costs(workers=cpu_of(*(worker.pid for worker in workers)))
        already = entry.starts.count
        await entry.starts.reach(count)
        costs = of_workers.for_each(count - already)
        starts = entry.starts.all()
        if not entry.contestant.peer:
            await entry.until_completed(before + count)
            recorded = count / (time.time() - starts[0].at)
        costs |= others.for_each(count)
    return Drained(rate=count / (starts[-1].at - starts[0].at), recorded=recorded, costs=costs)
