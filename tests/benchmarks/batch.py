"""Submissions a second over HTTP, one by one and in batches: ``python -m tests.benchmarks.batch``.

One service process and one private broker; the figures are medians of rounds, to be read as ratios.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from coordinator.broker.node import EmbeddedNode
from tests.e2e.processes import client, ready, service

from .main_job import BODY, CONNECTIONS, row, submit

TASKS = 4000
ROUNDS = 3
SIZES = (10, 100, 1000)


async def batches(http: httpx.AsyncClient, size: int, connections: int) -> float:
    """Tasks a second, in requests of ``size``."""
    left = TASKS // size
    began = time.perf_counter()

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            answer = await http.post("/tasks/submit/batch", json={"tasks": [BODY] * size})
            assert answer.json()["accepted"] == size, answer.text

    await asyncio.gather(*(work() for _ in range(connections)))
    return TASKS / (time.perf_counter() - began)


async def measure(folder: Path) -> None:
    async with (
        EmbeddedNode(folder / "rabbitmq", say=print, standard_ports=False) as node,
        service(node.amqp_url, folder / "service") as (_, base_url),
        client(base_url) as http,
    ):
        await ready(http)
        await submit(base_url, 200)
        found: dict[str, list[float]] = {}
        for _ in range(ROUNDS):
            began = time.perf_counter()
            await submit(base_url, TASKS)
            found.setdefault(f"one by one, {CONNECTIONS} connections", []).append(
                TASKS / (time.perf_counter() - began)
            )
            for size in SIZES:
                rate = await batches(http, size, 2)
                found.setdefault(f"in batches of {size}, 2 connections", []).append(rate)
        print()
        row("tasks/s over HTTP", "median")
        row("-" * 46, "-" * 10)
        for what, rates in found.items():
            row(what, f"{statistics.median(rates):.0f}")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="coordinator-bench-") as folder:
        asyncio.run(measure(Path(folder)))


if __name__ == "__main__":
    main()
