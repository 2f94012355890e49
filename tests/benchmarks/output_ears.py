"""Hears chunks, and tells in a line of JSON how many came, how late, and at what cost: over a stream of the
coordinator for each task, on a socket of its own, or with the bare driver on an exclusive queue.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import aiormq
from aiormq.abc import DeliveredMessage

from tests.e2e.processes import client
from tests.support.server_sent_events import Stream, streaming

from .output_voices import QUEUE
from .processes import cpu_seconds
from .results import quantile

CHUNKS = int(os.environ["BENCH_CHUNKS"])
PAUSE = float(os.environ["BENCH_PAUSE"])
VOICES = int(os.environ["BENCH_VOICES"])

LEAD = 5.0
"""Seconds until all tasks are followed and begin to speak."""


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
    """Submits the tasks, and reads the stream of each as it comes off the socket."""
    url = os.environ["BENCH_URL"]
    data = {"task_type": "speak", "chunks": CHUNKS, "pause": PAUSE}
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(client(url))
        data["begin"] = time.monotonic() + LEAD
        streams = []
        for _ in range(VOICES):
            answer = await http.post("/tasks/submit", json={"task_data": data})
            answer.raise_for_status()
            path = f"/tasks/{answer.json()['task_id']}/stream"
            streams.append(await stack.enter_async_context(streaming(url, path)))
        heard.ready()
        await asyncio.gather(*(_hear(one, heard) for one in streams))
        heard.tell()


async def _hear(stream: Stream, heard: Heard) -> None:
    """A frame is a chunk of the answer, so that its data is one line."""
    while line := await stream.reader.readline():
        if line.startswith(b"data: ") and b'"chunks":[' in line:
            for chunk in json.loads(line[6:])["chunks"]:
                heard.note(chunk)
        elif line.startswith(b"event: stream.end"):
            return


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
