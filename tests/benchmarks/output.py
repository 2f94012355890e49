"""Partial output: from a chunk's emission to the socket of a subscriber of `coordinator serve`, beside the
bare driver on an exclusive queue. Idle, one task that says five chunks a second; busy, a hundred that say
fifty each, with a subscriber each.

The driver carries a message for each chunk and does nothing else; the coordinator checks whose it is, keeps
the end of it, tells it over HTTP, and has submitted and folded the tasks.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack

from tests.e2e.processes import Process, client, ready, service, spawned

from .arena import Arena, say
from .costs import Costs, cpu_of
from .results import OURS, Results
from .scale import Scale

__all__ = ["output"]

DRIVER = "bare driver"

EARS, VOICES = "tests.benchmarks.output_ears", "tests.benchmarks.output_voices"

AT_WORK = re.compile("at work")
READY = re.compile(r"^ready$", re.MULTILINE)
TOLD = re.compile(r"^(\{.*\})$", re.MULTILINE)

IDLE = {"BENCH_VOICES": "1", "BENCH_PAUSE": "0.2"}
BUSY = {"BENCH_VOICES": "100", "BENCH_PAUSE": "0.02"}


async def output(arena: Arena, scale: Scale) -> Results:
    results = Results([], [DRIVER])
    idle = IDLE | {"BENCH_CHUNKS": str(scale.one_by_one)}
    busy = BUSY | {"BENCH_CHUNKS": str(int(scale.paced_seconds * 125))}
    for number in range(scale.rounds):
        say(f"output, round {number + 1} of {scale.rounds}")
        for what, pace in (("idle", idle), ("100 tasks", busy)):
            for who in (OURS, DRIVER):
                await _measure(arena, results, who, what, pace)
    return results


async def _measure(
    arena: Arena, results: Results, who: str, what: str, pace: Mapping[str, str]
) -> None:
    """Both on a virtual host of their own, and one after the other."""
    ours = who == OURS
    async with arena.place(f"output-{who}") as (folder, amqp_url):
        environment = {
            "BENCH_AMQP_URL": amqp_url,
            "COORDINATOR_AMQP_URL": amqp_url,
            "XDG_CACHE_HOME": str(folder / "cache"),
            **pace,
        }
        async with AsyncExitStack() as stack:

            async def started(*command: str) -> Process:
                output = folder / f"{command[0]}.out"
                process = spawned(
                    sys.executable, "-m", *command, output=output, environment=environment
                )
                return await stack.enter_async_context(process)

            parties = {"broker": cpu_of(arena.node.pid)}
            if ours:
                server, url = await stack.enter_async_context(service(amqp_url, folder / "service"))
                async with client(url) as http:
                    await ready(http)
                mouth = await started("consumers", f"{VOICES}:agent")
                await mouth.prints(AT_WORK)
                environment["BENCH_URL"] = url
                parties["coordinator"] = cpu_of(server.pid)
                ears = await started(EARS, "coordinator")
                await ears.prints(READY)
            else:
                ears = await started(EARS, "driver")
                await ears.prints(READY)
                mouth = await started(VOICES)
            costs = Costs(**parties, agent=cpu_of(mouth.pid))
            told = json.loads((await ears.prints(TOLD, within=600))[1])
            spent = costs.for_each(int(pace["BENCH_VOICES"]) * int(pace["BENCH_CHUNKS"]))
    results.note(f"emit to subscriber, {what}, p50, ms", who, told["p50"], less_is_better=True)
    results.note(f"emit to subscriber, {what}, p99, ms", who, told["p99"], less_is_better=True)
    results.note(f"  missing, {what}", who, told["missing"], less_is_better=True)
    if what != "idle":
        results.note(f"chunks/s, {what}", who, told["rate"])
        spent["subscribers"] = told["cpu"] / 1e6
        for party, seconds in (spent | {"all of these": sum(spent.values())}).items():
            row = f"  CPU of {party}, µs a chunk"
            results.note(row, who, 1e6 * seconds, less_is_better=True)
