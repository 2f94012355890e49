"""What an API key costs a submission: a server that is asked with a key, and one that asks for none.

Two columns and their ratio. Both are asked at the same time, so that whatever else the machine does
meets both: by turns, one core less for a second is more than what is measured. The server with keys
writes its audit log, a line for each task. The rates are of half the machine each.
"""

from __future__ import annotations

import asyncio

from .arena import Arena, Entry, say
from .contestants import WITH_KEYS, WITHOUT_KEYS
from .costs import Costs, cpu_of
from .load import submit_for, task_body
from .results import Results
from .scale import Scale

__all__ = ["keys"]


async def keys(arena: Arena, scale: Scale) -> Results:
    results = Results([], [], other=WITHOUT_KEYS.name)
    async with arena.entries([WITH_KEYS, WITHOUT_KEYS]) as entries:
        await asyncio.gather(*(_submit(entry, 0.5) for entry in entries))
        for number in range(scale.rounds):
            say(f"keys, round {number + 1} of {scale.rounds}")
            for entry in entries:
                await arena.calm(entry)
            costs = [Costs(server=cpu_of(entry.server.pid)) for entry in entries]
            tasks = await asyncio.gather(
                *(_submit(entry, scale.submit_seconds) for entry in entries)
            )
            for entry, spent, count in zip(entries, costs, tasks, strict=True):
                cpu = 1e6 * spent.for_each(count)["server"]
                results.note("submit, tasks/s", entry.name, count / scale.submit_seconds)
                results.note("  CPU of the server, µs a task", entry.name, cpu, less_is_better=True)
    return results


async def _submit(entry: Entry, seconds: float) -> int:
    """How many tasks were submitted, and are in the ledger."""
    _, took = await submit_for(entry.base_url, task_body(), seconds=seconds, headers=entry.headers)
    await entry.settled()
    return len(took)
