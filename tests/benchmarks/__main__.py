"""`make bench`: the coordinator beside what people would use instead, on one private broker.

submit ..... tasks a second over HTTP, and how long each takes
batch ...... the same in requests of 500 tasks
drain ...... tasks a second from a backlog, with one worker process and with four
latency .... from the submission to the start: idle, and at 500 tasks a second
idle ....... what a fleet takes that has nothing to do, and how soon it wakes
priority ... until an urgent task starts behind a backlog
output ..... partial output beside the bare driver: how soon, how much, and what a chunk costs
keys ....... submitting with an API key beside submitting without
start ...... until a service that is started is ready
metrics .... submitting and draining with metrics beside without
streams .... submitting while a thousand subscribe to events beside submitting while nobody does
scaling .... more HTTP workers, more agents, deeper queues, and the memory of it
registry ... the registry in figures

Medians of rounds that alternate between all. Other programs may be using the machine: read the figures
as ratios to one another.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.support.interrupting import end_as_by_ctrl_c

from .arena import Arena, arena, bench_python
from .batch import batch
from .checkouts import checkout_of
from .contestants import COORDINATOR, LIMITS, PEERS, Contestant, other
from .drain import drain
from .idle import PLAIN, idle
from .idle_wakes import lanes_of
from .keys import keys
from .latency import latency
from .metrics import metrics
from .output import output
from .priority import priority
from .results import Results
from .scale import QUICK, WHOLE, Scale
from .scaling import scaling
from .start import start
from .streams import streams
from .submit import submit

__all__ = ["ITEMS", "main", "parsed", "scale_of"]

COMPARED: dict[str, Callable[[Arena, Results, Scale], Awaitable[None]]] = {
    "submit": submit,
    "batch": batch,
    "drain": drain,
    "latency": latency,
    "idle": idle,
    "priority": priority,
    "start": start,
}

APART: dict[str, Callable[[Arena, Scale], Awaitable[Results]]] = {
    "output": output,
    "keys": keys,
    "metrics": metrics,
    "streams": streams,
}
"""Have tables of their own."""

REGISTRY = "tests.benchmarks.registry"
"""Has a table, and a broker, of its own."""

ITEMS = (*COMPARED, *APART, "scaling", "registry")


async def measure(
    items: Sequence[str],
    scale: Scale,
    folder: Path,
    *,
    against: Contestant | None = None,
    peers: bool = True,
) -> None:
    """Measure, and print the table. ``against`` is the coordinator of another commit."""
    beside = [] if against is None else [against]
    others = [*PEERS, *LIMITS] if peers else []
    limits = [one.name for one in others if one in LIMITS]
    results = Results(
        [one.name for one in others if one in PEERS],
        limits or ([PLAIN] if "idle" in items else []),
        other=None if against is None else against.name,
    )
    async with arena(folder, [COORDINATOR, *beside, *others]) as made:
        for item, run in COMPARED.items():
            if item in items:
                await run(made, results, scale)
        if set(items) & set(COMPARED):
            print()
            print(results.table(), flush=True)
        for item, apart in APART.items():
            if item in items:
                print()
                print((await apart(made, scale)).table(), flush=True)
        if "scaling" in items:
            await scaling(made, scale)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Ends the process with a sentence where there is no such item or option."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("items", nargs="*", help=f"of {', '.join(ITEMS)}; all without")
    parser.add_argument("--quick", action="store_true", help="a few minutes, for a first look")
    parser.add_argument("--rounds", type=int, help="rounds of each")
    parser.add_argument(
        "--million", action="store_true", help="scaling: a queue of a million tasks, too"
    )
    parser.add_argument(
        "--against", metavar="COMMIT", help="the coordinator as of that commit beside this one"
    )
    parser.add_argument(
        "--no-peers", action="store_true", help="the coordinator alone, for two commits"
    )
    parser.add_argument(
        "--agents", metavar="N,...", type=_numbers, help="idle: the sizes of the fleet, rising"
    )
    parser.add_argument(
        "--queues", metavar="N,...", type=_numbers, help="idle: how many it serves (10,100)"
    )
    given = parser.parse_args(arguments)
    unknown = set(given.items) - set(ITEMS)
    if unknown:
        parser.error(f"no such item: {', '.join(sorted(unknown))}; there are {', '.join(ITEMS)}")
    given.items = given.items or [*ITEMS]
    return given


def _numbers(words: str) -> tuple[int, ...]:
    """Above zero, from the smallest."""
    numbers = tuple(int(word) for word in words.split(","))
    if min(numbers) < 1 or list(numbers) != sorted(numbers):
        raise ValueError(words)
    return numbers


def scale_of(given: argparse.Namespace) -> Scale:
    scale = QUICK if given.quick else WHOLE
    if given.rounds:
        scale = replace(scale, rounds=given.rounds)
    if given.agents:
        scale = replace(scale, idle_agents=given.agents)
    if given.queues:
        scale = replace(scale, idle_lanes=tuple(map(lanes_of, given.queues)))
    if given.million:
        scale = replace(scale, depths=(*scale.depths, 1_000_000))
    return scale


def main(arguments: Sequence[str] | None = None) -> None:
    given = parsed(arguments)
    items, scale = given.items, scale_of(given)
    if set(items) != {"registry"}:
        if not given.no_peers:
            bench_python()
        against = None if given.against is None else other(checkout_of(given.against))
        with tempfile.TemporaryDirectory(prefix="coordinator-bench-") as folder:
            asyncio.run(
                measure(items, scale, Path(folder), against=against, peers=not given.no_peers)
            )
    if "registry" in items and importlib.util.find_spec(REGISTRY):
        print()
        importlib.import_module(REGISTRY).main(["--quick"] if given.quick else [])


if __name__ == "__main__":
    end_as_by_ctrl_c()
    main(sys.argv[1:])
