"""Tasks a second over HTTP, one request a task: one server process, 32 keep-alive connections."""

from __future__ import annotations

import time

from .arena import Arena, in_turn, say
from .costs import Costs, cpu_of, note_costs
from .load import submit_for, task_body
from .processes import memory
from .results import Results, quantile
from .scale import Scale

__all__ = ["submit"]


async def submit(arena: Arena, results: Results, scale: Scale) -> None:
    async with arena.entries(arena.compared) as entries:
        for entry in entries:
            await submit_for(entry.base_url, task_body(), seconds=0.5)
            await entry.settled()
        for number in range(scale.rounds):
            say(f"submit, round {number + 1} of {scale.rounds}")
            for entry in in_turn(entries, number):
                await arena.calm(entry)
                costs = Costs(
                    server=cpu_of(entry.server.pid),
                    broker=cpu_of(arena.node.pid),
                    client=time.process_time,
                )
                rate, took = await submit_for(
                    entry.base_url, task_body(), seconds=scale.submit_seconds
                )
                costs.stop("client")
                await entry.settled()
                results.note("submit, tasks/s", entry.name, rate)
                note_costs(results, entry.name, costs.for_each(len(took)))
                results.note(
                    "  memory of the server, MiB",
                    entry.name,
                    memory(entry.server.pid) / 2**20,
                    less_is_better=True,
                )
                for share, what in ((0.5, "p50"), (0.99, "p99")):
                    results.note(
                        f"  one submission, {what}, ms",
                        entry.name,
                        1000 * quantile(took, share),
                        less_is_better=True,
                    )
