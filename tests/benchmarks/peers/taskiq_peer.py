"""Taskiq with taskiq-aio-pika, whose queues are quorum queues and whose publishes are confirmed."""

from __future__ import annotations

import asyncio
from typing import Any

from taskiq_aio_pika import AioPikaBroker
from taskiq_aio_pika.queue import Queue, QueueType

from tests.benchmarks.work import work_async

from . import settings

broker = AioPikaBroker(
    settings.AMQP_URL,
    qos=settings.PREFETCH,
    task_queues=[
        Queue(type=QueueType.CLASSIC, max_priority=10) if settings.PRIORITIES else Queue()
    ],
)


@broker.task(task_name="work")
async def task(data: dict[str, Any]) -> None:
    await work_async(data)


async def open_() -> None:
    await broker.startup()


async def submit(data: dict[str, Any], *, urgent: bool = False) -> str:
    kicker = task.kicker()
    if settings.PRIORITIES:
        kicker = kicker.with_labels(priority=settings.URGENT if urgent else settings.LOW)
    return (await kicker.kiq(data)).task_id


async def fill(count: int, data: dict[str, Any]) -> None:
    for start in range(0, count, 100):
        await asyncio.gather(*(submit(data) for _ in range(min(100, count - start))))
