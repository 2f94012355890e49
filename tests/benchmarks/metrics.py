"""What counting costs a task: a server that counts for Prometheus, as it does unless told not to, and one
that counts nothing.

Two columns and their ratio. Both are submitted to at the same time, as for API keys, since the difference is
less than what the machine does meanwhile; backlogs are worked off by turns. It is scraped meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from .arena import Arena, Entry, in_turn, say
from .contestants import WITH_METRICS, WITHOUT_METRICS
from .costs import Costs, cpu_of
from .drain import drained
from .load import submit_for, submit_one, task_body
from .results import Results
from .scale import Scale

__all__ = ["metrics"]

EVERY = 15.0
"""Seconds between two scrapes, as in `deploy/observability/prometheus.yml`."""


async def metrics(arena: Arena, scale: Scale) -> Results:
    results = Results([], [], other=WITHOUT_METRICS.name)
    async with arena.entries([WITH_METRICS, WITHOUT_METRICS]) as entries:
        for entry in entries:
            async with entry.workers(1, slots=1):
                await submit_one(entry.base_url, task_body())
                await entry.starts.reach(1)
        await asyncio.gather(*(_submit(entry, 0.5) for entry in entries))
        async with _scraped(entries[0]):
            for number in range(scale.rounds):
                say(f"metrics, round {number + 1} of {scale.rounds}")
                await _submissions(arena, entries, results, scale.submit_seconds)
                for entry in in_turn(entries, number):
                    await _backlog(arena, entry, results, scale.drained)
    return results


async def _submissions(
    arena: Arena, entries: list[Entry], results: Results, seconds: float
) -> None:
    for entry in entries:
        await arena.calm(entry)
    costs = [Costs(server=cpu_of(entry.server.pid)) for entry in entries]
    tasks = await asyncio.gather(*(_submit(entry, seconds) for entry in entries))
    for entry, spent, count in zip(entries, costs, tasks, strict=True):
        cpu = 1e6 * spent.for_each(count)["server"]
        results.note("submit, tasks/s", entry.name, count / seconds)
        results.note("  CPU of the server, µs a task", entry.name, cpu, less_is_better=True)


async def _submit(entry: Entry, seconds: float) -> int:
    """How many tasks were submitted, and are in the ledger."""
    _, took = await submit_for(entry.base_url, task_body(), seconds=seconds)
    await entry.settled()
    return len(took)


async def _backlog(arena: Arena, entry: Entry, results: Results, count: int) -> None:
    await _empty(entry)
    one = await drained(arena, entry, count, processes=1)
    cpu = 1e6 * one.costs["server"]
    results.note("drain, tasks/s", entry.name, one.rate)
    results.note("  CPU of the server, µs a drained task", entry.name, cpu, less_is_better=True)


async def _empty(entry: Entry) -> None:
    """What was submitted for the measurement before is no part of this one's backlog."""
    for priority in ("normal", "low"):
        (await entry.http.post(f"/tasks/queues/{priority}/clear")).raise_for_status()
    await entry.settled()


@contextlib.asynccontextmanager
async def _scraped(entry: Entry) -> AsyncIterator[None]:
    async def scrape() -> None:
        while True:
            (await entry.http.get("/metrics")).raise_for_status()
            await asyncio.sleep(EVERY)

    scraping = asyncio.create_task(scrape())
    try:
        yield
    finally:
        scraping.cancel()
        await asyncio.gather(scraping, return_exceptions=True)
