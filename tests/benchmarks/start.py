"""Seconds from the start of `coordinator serve`, on a broker that has nothing yet, until it is ready."""

from __future__ import annotations

from .arena import Arena, in_turn, say
from .costs import cpu_of
from .results import Results
from .scale import Scale

__all__ = ["start"]


async def start(arena: Arena, results: Results, scale: Scale) -> None:
    contestants = [one for one in arena.compared if not one.peer]
    for number in range(scale.rounds):
        say(f"start, round {number + 1} of {scale.rounds}")
        for contestant in in_turn(contestants, number):
            async with arena.entry(contestant) as entry:
                cpu = cpu_of(entry.server.pid)()
            for what, figure in (
                ("start until ready, ms", entry.ready_after),
                ("  CPU of the server, until ready, ms", cpu),
            ):
                results.note(what, entry.name, 1000 * figure, less_is_better=True)
