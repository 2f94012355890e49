"""What an API key costs a submission: the same server asked with a key, and one that asks for none, by turns.

Two columns and their ratio: that of the server's CPU is the one to go by. The server with keys writes
its audit log, a line for each task.
"""

from __future__ import annotations

import time

from .arena import Arena, in_turn, say
from .contestants import WITH_KEYS, WITHOUT_KEYS
from .costs import Costs, cpu_of, note_costs
from .load import submit_for, task_body
from .results import Results
from .scale import Scale

__all__ = ["keys"]


async def keys(arena: Arena, scale: Scale) -> Results:
    results = Results([], [], other=WITHOUT_KEYS.name)
    async with arena.entries([WITHOUT_KEYS, WITH_KEYS, WITH_KEYS, WITHOUT_KEYS]) as entries:
        for entry in entries:
            await submit_for(entry.base_url, task_body(), seconds=0.5, headers=entry.headers)
            await entry.settled()
        for number in range(scale.rounds):
            say(f"keys, round {number + 1} of {scale.rounds}")
            for entry in in_turn(entries, number):
                await arena.calm(entry)
                costs = Costs(
                    server=cpu_of(entry.server.pid),
                    broker=cpu_of(arena.node.pid),
                    client=time.process_time,
                )
                rate, took = await submit_for(
                    entry.base_url,
                    task_body(),
                    seconds=scale.submit_seconds,
                    headers=entry.headers,
                )
                costs.stop("client")
                await entry.settled()
                results.note("submit, tasks/s", entry.name, rate)
                note_costs(results, entry.name, costs.for_each(len(took)))
    return results
