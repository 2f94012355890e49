"""Tasks a second over `POST /tasks/submit/batch`, beside one request a task."""

from __future__ import annotations

import asyncio
import time

from .arena import Arena, Entry, in_turn, say
from .costs import Costs, cpu_of, note_costs
from .load import submit_for, task_body
from .results import Results
from .scale import Scale

__all__ = ["batch"]

SIZE = 500
CONNECTIONS = 2


async def batch(arena: Arena, results: Results, scale: Scale) -> None:
    async with arena.entries([one for one in arena.compared if not one.peer]) as entries:
        for entry in entries:
            await submit_for(entry.base_url, task_body(), seconds=0.5)
        for number in range(scale.rounds):
            say(f"batch submit, round {number + 1} of {scale.rounds}")
            for entry in in_turn(entries, number):
                await _round(arena, results, scale, entry)


async def _round(arena: Arena, results: Results, scale: Scale, entry: Entry) -> None:
    await arena.calm(entry)
    costs = Costs(
        server=cpu_of(entry.server.pid), broker=cpu_of(arena.node.pid), client=time.process_time
    )
    results.note("batch submit, tasks/s", entry.name, await _rate(entry, scale.batches))
    costs.stop("client")
    await entry.settled()
    each = costs.for_each(SIZE * scale.batches)
    note_costs(results, entry.name, each, where=", in a batch")
    await arena.calm(entry)
    single, _ = await submit_for(entry.base_url, task_body(), seconds=scale.submit_seconds)
    results.note("  one by one beside it, tasks/s", entry.name, single)


async def _rate(entry: Entry, batches: int) -> float:
    left = batches

    async def send() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            content = b'{"tasks": [%b]}' % b",".join(task_body()() for _ in range(SIZE))
            headers = {"Content-Type": "application/json"}
            answer = await entry.http.post("/tasks/submit/batch", content=content, headers=headers)
            assert answer.json()["accepted"] == SIZE, answer.text

    began = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return SIZE * batches / (time.perf_counter() - began)
