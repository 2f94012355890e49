"""The registry in figures, on a private broker: ``python -m tests.benchmarks.registry [parts]``.

catch-up .... events a second from the log into the ledger, and what the log can be read at
lag ......... from a submission's confirm until the ledger has it, at 2 000 tasks a second
questions ... `POST /agents/discover` and `GET /agents` over HTTP, in large fleets
heartbeats .. heartbeats a second that one coordinator takes in
start ....... seconds until a coordinator is ready, on a ledger with a million tasks
memory ...... of the coordinator, by agents and by tasks
pages ....... of lists and of the dashboard over HTTP, of a million tasks of all kinds

All of it takes about a quarter of an hour, with ``--quick`` two minutes. One machine, which others
may be using: read the figures as ratios to one another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from tests.support.interrupting import end_as_by_ctrl_c

from .registry_catch_up import catch_up
from .registry_heartbeats import heartbeats
from .registry_lag import lag
from .registry_memory import memory
from .registry_pages import pages
from .registry_questions import questions
from .registry_stage import Scale, Stage, stage
from .registry_start import start
from .registry_table import Figure, print_table, say

__all__ = ["main"]

PARTS: dict[str, Callable[[Stage], Awaitable[list[Figure]]]] = {
    "catch-up": catch_up,
    "lag": lag,
    "questions": questions,
    "heartbeats": heartbeats,
    "start": start,
    "memory": memory,
    "pages": pages,
}

WHOLE = Scale(
    rounds=3,
    events=15_000,
    lag_seconds=15,
    fleets=(10_000, 100_000),
    requests=500,
    beats=30_000,
    stored_tasks=1_000_000,
    passing_tasks=100_000,
)
QUICK = Scale(
    rounds=1,
    events=6_000,
    lag_seconds=3,
    fleets=(10_000,),
    requests=200,
    beats=10_000,
    stored_tasks=50_000,
    passing_tasks=10_000,
)


async def measure(parts: Sequence[str], scale: Scale, folder: Path) -> list[Figure]:
    figures: list[Figure] = []
    async with stage(folder, scale) as made:
        for part in parts:
            say(f"measuring {part}")
            found = await PARTS[part](made)
            for figure in found:
                say(f"  {figure.what}: {statistics.median(figure.rounds):.1f} {figure.unit}")
            figures += found
    return figures


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all without")
    parser.add_argument("--quick", action="store_true", help="two minutes, for a first look")
    given = parser.parse_args(arguments)
    unknown = set(given.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="coordinator-bench-") as folder:
        scale = QUICK if given.quick else WHOLE
        figures = asyncio.run(measure(given.parts or list(PARTS), scale, Path(folder)))
    print_table(figures)


if __name__ == "__main__":
    end_as_by_ctrl_c()
    main(sys.argv[1:])
