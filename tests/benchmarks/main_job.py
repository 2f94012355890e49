"""The main job in three figures, on a private broker: ``make bench``.

* submissions a second over HTTP: one service process, 32 keep-alive connections, 200 bytes;
* tasks a second from end to end: a backlog of no-op tasks, one agent process, until the ledger has
  every outcome;
* from submit to start, when nothing else runs: by the times in the events (one machine, one clock).

Figures are medians of rounds; the machine is shared, so read them as ratios to one another.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from coordinator.broker.node import EmbeddedNode
from tests.e2e.processes import agent_process, client, get, ready, service
from tests.e2e.producer import submit_all
from tests.support.waiting import eventually

CONNECTIONS = 32
BODY = {
    "task_data": {"task_type": "no-op", "text": "x" * 120},
    "priority": "normal",
    "requirements": {},
}


async def submit(base_url: str, count: int) -> list[float]:
    """Submit ``count`` tasks over all connections; the seconds that each took."""
    answers = await submit_all(base_url, [BODY] * count, connections=CONNECTIONS)
    assert {answer.status for answer in answers} == {200}
    return [answer.seconds for answer in answers]


async def completed(http: httpx.AsyncClient) -> int:
    stats: dict[str, Any] = (await get(http, "/tasks/status"))["stats"]
    return int(stats["tasks_completed"]) + int(stats["tasks_failed"])


async def until_completed(http: httpx.AsyncClient, count: int) -> None:
    async def reached() -> bool:
        return await completed(http) >= count

    await eventually(reached, timeout=120)


async def idle_latency(http: httpx.AsyncClient, count: int) -> list[float]:
    """Milliseconds from acceptance to start, one task at a time."""
    found: list[float] = []
    for _ in range(count):
        task_id = (await http.post("/tasks/submit", json=BODY)).json()["task_id"]
        while True:
            task = (await get(http, f"/tasks/{task_id}"))["task"]
            if task["state"] == "completed":
                break
            await asyncio.sleep(0.01)
        begun = datetime.fromisoformat(task["started_at"])
        found.append((begun - datetime.fromisoformat(task["submitted_at"])).total_seconds() * 1000)
    return found


def quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def row(what: str, *figures: str) -> None:
    print(f"| {what:<46} | " + " | ".join(f"{figure:>10}" for figure in figures) + " |", flush=True)


async def measure(tasks: int, rounds: int, folder: Path) -> None:
    rates: list[float] = []
    waits: list[float] = []
    drains: list[float] = []
    async with (
        EmbeddedNode(folder / "rabbitmq", say=print, standard_ports=False) as node,
        service(node.amqp_url, folder / "service") as (_, base_url),
        client(base_url) as http,
    ):
        done = 0
        await ready(http)
        await submit(base_url, 200)
        done += 200
        for number in range(rounds):
            began = time.perf_counter()
            waits += await submit(base_url, tasks)
            rates.append(tasks / (time.perf_counter() - began))
            done += tasks
            output = folder / f"agent-{number}.out"
            async with agent_process(node.amqp_url, output, f"bench-{number}", slots=8):
                await until_completed(http, done - tasks + 1)
                already = await completed(http)
                began = time.perf_counter()
                await until_completed(http, done)
                drains.append((done - already) / (time.perf_counter() - began))
        async with agent_process(node.amqp_url, folder / "idle.out", "idle", slots=1):
            await submit(base_url, 1)
            await until_completed(http, done + 1)
            idle = await idle_latency(http, 200)
        print()
        row("figure", "median", "p99", "rounds")
        row("-" * 46, *["-" * 10] * 3)
        row(
            "submissions/s over HTTP, 32 connections",
            f"{statistics.median(rates):.0f}",
            "",
            f"{rounds}",
        )
        row(
            "  one submission, ms",
            f"{statistics.median(waits) * 1000:.1f}",
            f"{quantile(waits, 0.99) * 1000:.1f}",
            "",
        )
        row(
            "no-op tasks/s end to end, 1 agent process",
            f"{statistics.median(drains):.0f}",
            "",
            f"{rounds}",
        )
        row(
            "submit to start when idle, ms",
            f"{statistics.median(idle):.1f}",
            f"{quantile(idle, 0.99):.1f}",
            "1",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="The main job in three figures.")
    parser.add_argument("--tasks", type=int, default=5000, help="tasks a round (default 5000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default 3)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="coordinator-bench-") as folder:
        asyncio.run(measure(options.tasks, options.rounds, Path(folder)))


if __name__ == "__main__":
    main()
