"""Tasks a second over HTTP, one request a task: one server process, 32 keep-alive connections."""

from __future__ import annotations

from .arena import Arena, say
from .load import submit_for, task_body
from .processes import cpu_seconds, memory
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
            for entry in entries[number % len(entries) :] + entries[: number % len(entries)]:
                await arena.calm(entry)
                before, node = cpu_seconds(entry.server.pid), cpu_seconds(arena.node.pid)
                rate, took = await submit_for(
                    entry.base_url, task_body(), seconds=scale.submit_seconds
                )
                await entry.settled()
                cost = (cpu_seconds(entry.server.pid) - before) / len(took)
                of_node = (cpu_seconds(arena.node.pid) - node) / len(took)
                results.note("submit, tasks/s", entry.name, rate)
                results.note(
                    "  CPU of the server, µs a task", entry.name, 1e6 * cost, less_is_better=True
                )
                results.note(
                    "  CPU of the broker, µs a task", entry.name, 1e6 * of_node, less_is_better=True
                )
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
