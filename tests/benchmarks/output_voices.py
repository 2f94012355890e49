"""Says chunks at a steady pace: handlers of an agent, and the same by the bare driver, a message each."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Awaitable, Callable

import aiormq
from pamqp.commands import Basic

from consumers import Agent, Task

__all__ = ["QUEUE", "TEXT", "agent", "speak_by_driver"]

QUEUE = "bench.output"
"""Exclusive, of whoever hears the bare driver."""

TEXT = "some words of a model"

agent = Agent("speaker", slots=200)


@agent.task("speak")
async def speak(task: Task) -> None:
    await _paced(task.data["chunks"], task.data["pause"], task.emit, begin=task.data["begin"])


async def speak_by_driver(chunks: int, pause: float, voices: int) -> None:
    """What ``voices`` handlers would say, over one channel without confirms."""
    connection = await aiormq.connect(os.environ["BENCH_AMQP_URL"])
    channel = await connection.channel(publisher_confirms=False)

    async def say(chunk: object) -> None:
        await channel.basic_publish(
            json.dumps(chunk).encode(),
            routing_key=QUEUE,
            properties=Basic.Properties(delivery_mode=1),
        )

    await asyncio.gather(*(_paced(chunks, pause, say) for _ in range(voices)))
    await asyncio.Event().wait()  # its CPU is counted


async def _paced(
    chunks: int,
    pause: float,
    say: Callable[[object], Awaitable[object]],
    *,
    begin: float | None = None,
) -> None:
    """The clock is the machine's, and the same in all processes; ``begin`` is an instant of it."""
    due = (begin or time.monotonic()) + pause * random.random()  # not all in one instant
    for _ in range(chunks):
        due += pause
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        await say({"at": time.monotonic(), "text": TEXT})


if __name__ == "__main__":
    asyncio.run(
        speak_by_driver(
            int(os.environ["BENCH_CHUNKS"]),
            float(os.environ["BENCH_PAUSE"]),
            int(os.environ["BENCH_VOICES"]),
        )
    )
