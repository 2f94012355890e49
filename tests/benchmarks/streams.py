"""What a thousand subscribers of events cost a submission: one server that has them, and has none, by turns.

Two columns and their ratio. By turns, since of two servers side by side on two cores the one that takes more
of them takes it from the other as well. First all subscribers wait for a task of their own, as whoever
submits does. Then some are told of everything, and half of these read nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.support.server_sent_events import Stream, streaming

from .arena import Arena, Entry, in_turn, say
from .contestants import COORDINATOR
from .costs import Costs, cpu_of
from .load import submit_for, task_body
from .results import OURS, Results
from .scale import Scale

__all__ = ["streams"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Says how many subscribers of each kind there are."""

    name: str
    of_one_task: int
    of_everything: int = 0
    that_do_not_read: int = 0
    """Of everything, too."""


WITHOUT = "without subscribers"

AUDIENCES = (
    Audience(name="a task each", of_one_task=1000),
    Audience(name="20 of all", of_one_task=980, of_everything=10, that_do_not_read=10),
)


async def streams(arena: Arena, scale: Scale) -> Results:
    results = Results([], [], other=WITHOUT)
    async with arena.entries([COORDINATOR]) as (entry,):
        await _submit(entry, 0.5)
        for number in range(scale.rounds):
            say(f"streams, round {number + 1} of {scale.rounds}")
            for audience in AUDIENCES:
                for name in in_turn([OURS, WITHOUT], number):
                    async with contextlib.AsyncExitStack() as stack:
                        if name == OURS:
                            await stack.enter_async_context(_subscribed(entry.base_url, audience))
                        await _measure(arena, entry, name, scale, results, audience.name)
    return results


async def _measure(
    arena: Arena, entry: Entry, name: str, scale: Scale, results: Results, where: str
) -> None:
    await arena.calm(entry)
    spent = Costs(server=cpu_of(entry.server.pid))
    count = await _submit(entry, scale.submit_seconds)
    cpu = 1e6 * spent.for_each(count)["server"]
    results.note(f"submit, {where}, tasks/s", name, count / scale.submit_seconds)
    results.note(f"  CPU of the server, {where}, µs a task", name, cpu, less_is_better=True)


@contextlib.asynccontextmanager
async def _subscribed(url: str, audience: Audience) -> AsyncIterator[None]:
    """Anew for each round: those that do not read are cut off."""
    paths = [f"/events?task_id=waited-for-{number}" for number in range(audience.of_one_task)]
    paths += ["/events"] * (audience.of_everything + audience.that_do_not_read)
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(streaming(url, path)) for path in paths]
        of_those = opened[: len(opened) - audience.that_do_not_read]
        reading = [asyncio.create_task(_read(one)) for one in of_those]
        try:
            yield
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)


async def _read(stream: Stream) -> None:
    while await stream.reader.read(65_536):
        continue


async def _submit(entry: Entry, seconds: float) -> int:
    """How many tasks were submitted, and are in the ledger."""
    _, took = await submit_for(entry.base_url, task_body(), seconds=seconds)
    await entry.settled()
    return len(took)
