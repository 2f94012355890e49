"""Dramatiq, after its guide and its advice for RabbitMQ: confirms on, late acks by nature. It declares
its queues itself, classic and durable: there is no setting for quorum queues.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from tests.benchmarks.work import work

from . import settings

broker = RabbitmqBroker(
    url=settings.AMQP_URL,
    confirm_delivery=True,
    max_priority=10 if settings.PRIORITIES else None,
)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="work")
def task(data: dict[str, Any]) -> None:
    work(data)


async def open_() -> None:
    pass


def submit(data: dict[str, Any], *, urgent: bool = False) -> str:
    priority = settings.URGENT if urgent else settings.LOW
    options = {"broker_priority": priority} if settings.PRIORITIES else {}
    return str(task.send_with_options(args=(data,), **options).message_id)


async def fill(count: int, data: dict[str, Any]) -> None:
    with ThreadPoolExecutor(10) as threads:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(threads, submit, data) for _ in range(count)))
