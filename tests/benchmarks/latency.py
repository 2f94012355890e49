"""Milliseconds from sending a submission to the start of its handler: when nothing else happens, and
at 500 tasks a second.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack

from .arena import Arena, Entry, in_turn, say
from .drain import slots_of
from .load import submit_one, submit_paced, task_body
from .results import Results, quantile
from .scale import Scale

__all__ = ["latency"]

RATE = 500


async def latency(arena: Arena, results: Results, scale: Scale) -> None:
    contestants = [one for one in arena.compared if one.works]
    async with arena.entries(contestants) as entries, AsyncExitStack() as stack:
        for entry in entries:
            await stack.enter_async_context(entry.workers(1, slots=slots_of(entry.contestant)))
            await submit_one(entry.base_url, task_body())
            await entry.starts.reach(1)
        for number in range(scale.rounds):
            say(f"latency, round {number + 1} of {scale.rounds}")
            for entry in in_turn(entries, number):
                await arena.calm(entry)
                _note(results, "idle", entry, await _idle(entry, scale.one_by_one))
            for entry in in_turn(entries, number):
                await arena.calm(entry)
                _note(results, f"{RATE}/s", entry, await _paced(entry, scale.paced_seconds))


async def _idle(entry: Entry, count: int) -> list[float]:
    entry.starts.forget()
    for number in range(count):
        await submit_one(entry.base_url, task_body())
        await entry.starts.reach(number + 1, pause=0.01)
        await asyncio.sleep(random.uniform(0.02, 0.2))
    return [start.at - start.sent for start in entry.starts.all()]


async def _paced(entry: Entry, seconds: float) -> list[float]:
    entry.starts.forget()
    took = await submit_paced(entry.base_url, task_body(), rate=RATE, seconds=seconds)
    await entry.starts.reach(len(took))
    return [start.at - start.sent for start in entry.starts.all()]


def _note(results: Results, what: str, entry: Entry, waits: list[float]) -> None:
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        results.note(
            f"submit to start, {what}, {name}, ms",
            entry.name,
            1000 * quantile(waits, share),
            less_is_better=True,
        )
