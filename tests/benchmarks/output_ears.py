"""Hears chunks, and tells in a line of JSON how many came, how late, and at what cost: a whole coordinator
with a subscriber for each task, or the bare driver on an exclusive queue.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiormq
from aiormq.abc import DeliveredMessage

from coordinator.bootstrap import running
from coordinator.partial_output.output_items import OutputChunk, OutputEnded
from coordinator.partial_output.output_subscriptions import OutputSubscription
from coordinator.protocol.ids import new_id
from coordinator.settings import Settings
from tests.contract.fakes import over

from .output_voices import QUEUE
from .processes import cpu_seconds
from .results import quantile

CHUNKS = int(os.environ["BENCH_CHUNKS"])
PAUSE = float(os.environ["BENCH_PAUSE"])
VOICES = int(os.environ["BENCH_VOICES"])


@dataclass
class Heard:
    delays: list[float] = field(default_factory=list)
    """Seconds from each chunk's saying."""
    began: float = 0.0
    cpu: float = 0.0

    def ready(self) -> None:
        """Whoever says it may begin."""
        print("ready", flush=True)
        self.cpu = cpu_seconds(os.getpid())

    def note(self, chunk: dict[str, float]) -> None:
        now = time.monotonic()
        self.began = self.began or now
        self.delays.append(now - chunk["at"])

    def tell(self) -> None:
        took = time.monotonic() - self.began
        said = {
            "rate": len(self.delays) / took,
            "missing": CHUNKS * VOICES - len(self.delays),
            "p50": 1000 * quantile(self.delays, 0.5),
            "p99": 1000 * quantile(self.delays, 0.99),
            "cpu": 1e6 * (cpu_seconds(os.getpid()) - self.cpu) / len(self.delays),
        }
        print(json.dumps(said), flush=True)


async def by_coordinator(heard: Heard) -> None:
    """Beside all that a coordinator does for the tasks: they are submitted, folded and ended."""
    settings = Settings(
        amqp_url=os.environ["BENCH_AMQP_URL"], data_dir=Path(os.environ["BENCH_FOLDER"])
    )
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()
        await coordinator.agents_known({"speaker"})
        tasks = {
            one: coordinator.output.subscribe(one) for one in (new_id() for _ in range(VOICES))
        }
        hearing = [asyncio.create_task(_hear(items, heard)) for items in tasks.values()]
        heard.ready()
        for task_id in tasks:
            data = {"task_type": "speak", "chunks": CHUNKS, "pause": PAUSE, "task_id": task_id}
            answer = await http.post(
                "/tasks/submit", json={"task_data": data, "priority": "normal"}
            )
            answer.raise_for_status()
        await asyncio.gather(*hearing)
        heard.tell()


async def _hear(items: OutputSubscription, heard: Heard) -> None:
    async for item in items:
        if isinstance(item, OutputChunk):
            heard.note(item.chunk)
        elif isinstance(item, OutputEnded):
            items.close()


async def by_driver(heard: Heard) -> None:
    connection = await aiormq.connect(os.environ["BENCH_AMQP_URL"])
    channel = await connection.channel()
    await channel.queue_declare(QUEUE, exclusive=True)
    over_now = asyncio.Event()

    async def on_message(message: DeliveredMessage) -> None:
        heard.note(json.loads(message.body))
        if len(heard.delays) == CHUNKS * VOICES:
            over_now.set()

    await channel.basic_consume(QUEUE, on_message, no_ack=True)
    heard.ready()
    await over_now.wait()
    heard.tell()
    await connection.close()


if __name__ == "__main__":
    asyncio.run({"coordinator": by_coordinator, "driver": by_driver}[sys.argv[1]](Heard()))
