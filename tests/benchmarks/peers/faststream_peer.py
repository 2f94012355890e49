"""FastStream over RabbitMQ: a quorum queue, persistent messages, confirms, and acks after the work."""

from __future__ import annotations

import asyncio
from typing import Any

from faststream import AckPolicy, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from tests.benchmarks.work import work_async

from . import settings

broker = RabbitBroker(settings.AMQP_URL, logger=None)
app = FastStream(broker, logger=None)
queue = (
    RabbitQueue("work", durable=True, arguments={"x-max-priority": 10})
    if settings.PRIORITIES
    else RabbitQueue("work", queue_type=QueueType.QUORUM, durable=True)
)


@broker.subscriber(
    queue, channel=Channel(prefetch_count=settings.PREFETCH), ack_policy=AckPolicy.NACK_ON_ERROR
)
async def task(data: dict[str, Any]) -> None:
    await work_async(data)


async def open_() -> None:
    await broker.connect()
    await broker.declare_queue(queue)


async def submit(data: dict[str, Any], *, urgent: bool = False) -> str:
    priority = settings.URGENT if urgent else settings.LOW
    await broker.publish(
        data, queue, persist=True, priority=priority if settings.PRIORITIES else None
    )
    return ""


async def fill(count: int, data: dict[str, Any]) -> None:
    for start in range(0, count, 100):
        await asyncio.gather(*(submit(data) for _ in range(min(100, count - start))))
