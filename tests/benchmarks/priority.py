"""An urgent task behind a backlog of low ones that take 20 ms each: milliseconds until it starts.

One worker with one slot for each contestant, in its best configuration for priorities: the peers with
classic queues that know priorities, and a prefetch of one.
"""

from __future__ import annotations

import asyncio

from .arena import Arena, Entry, say
from .contestants import LIMITS
from .load import submit_one, task_body
from .results import Results
from .scale import Scale

__all__ = ["priority"]

LASTS = 0.02


async def priority(arena: Arena, results: Results, scale: Scale) -> None:
    for contestant in [one for one in arena.compared if one.works and one not in LIMITS]:
        say(f"priority under a backlog: {contestant.name}")
        async with arena.entry(contestant, priorities=True) as entry:
            await entry.fill(scale.backlog, seconds=LASTS)
            entry.starts.forget()
            async with entry.workers(1, slots=1):
                await entry.starts.reach(20)
                for number in range(scale.urgent):
                    results.note(
                        "urgent behind a backlog of 20 ms tasks, ms",
                        entry.name,
                        1000 * await _urgent(entry, number + 1),
                        less_is_better=True,
                    )


async def _urgent(entry: Entry, number: int) -> float:
    await submit_one(entry.base_url, task_body(priority="urgent", seconds=LASTS))
    while True:
        urgent = [start for start in entry.starts.all() if start.sent]
        if len(urgent) == number:
            return urgent[-1].at - urgent[-1].sent
        await asyncio.sleep(0.05)
