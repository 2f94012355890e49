"""How long a service takes to be ready, on a full ledger and on an empty one."""

from __future__ import annotations

import time

from .registry_ledgers import Contents
from .registry_process import processor_seconds
from .registry_stage import Database, Stage
from .registry_table import Figure

__all__ = ["start"]

AGENTS = 10_000


async def start(stage: Stage) -> list[Figure]:
    """From the start of the process until `/health/ready`, and with it every agent."""
    tasks = stage.scale.stored_tasks
    figures: list[Figure] = []
    for kind in stage.kinds:
        for contents, aim in (
            (Contents(), ""),
            (Contents(agents=AGENTS, tasks=tasks), "< 3"),
        ):
            async with stage.filled(kind, contents) as database:
                what = f"start, {kind}, {contents}"
                rounds, cpu = await _rounds(stage, database)
                figures.append(Figure(what=what, unit="s", rounds=rounds, cpu=cpu, aim=aim))
    return figures


async def _rounds(stage: Stage, database: Database) -> tuple[list[float], list[float]]:
    found: list[float] = []
    cpu: list[float] = []
    async with stage.broker() as amqp_url:
        async with stage.service(database, amqp_url):
            pass  # its queues are made once, in the first life
        for _ in range(stage.scale.rounds):
            began = time.perf_counter()
            async with stage.service(database, amqp_url) as service:
                found.append(time.perf_counter() - began)
                cpu.append(processor_seconds(service.process.pid))
    return found, cpu
