"""Tasks a second over HTTP, one request a task: one server process, 32 keep-alive connections."""

from __future__ import annotations

from .arena import Arena, say
from .contestants import ALL
from .load import submit_for, task_body
from .processes import cpu_seconds
from .results import Results, quantile
from .scale import Scale

__all__ = ["submit"]


async def submit(arena: Arena, results: Results, scale: Scale) -> None:
    async with arena.entries(ALL) as entries:
        for entry in entries:
            await submit_for(entry.base_url, task_body(), seconds=0.5)
            await entry.settled()
        for number in range(scale.rounds):
            say(f"submit, round {number + 1} of {scale.rounds}")
            for entry in entries[number % len(entries) :] + entries[: number % len(entries)]:
                await arena.calm(entry)
                before = cpu_seconds(entry.server.pid)
                rate, took = await submit_for(
                    entry.base_url, task_body(), seconds=scale.submit_seconds
                )
                cost = (cpu_seconds(entry.server.pid) - before) / len(took)
                await entry.settled()
                results.note("submit, tasks/s", entry.name, rate)
                results.note(
                    "  CPU of the server, µs a task", entry.name, 1e6 * cost, less_is_better=True
                )
                for share, what in ((0.5, "p50"), (0.99, "p99")):
                    results.note(
                        f"  one submission, {what}, ms",
                        entry.name,
                        1000 * quantile(took, share),
                        less_is_better=True,
                    )
