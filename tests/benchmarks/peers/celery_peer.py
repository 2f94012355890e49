"""Celery, after its pages "Using RabbitMQ" (quorum queues, confirms) and "Optimizing" (late acks)."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from celery import Celery
from kombu import Queue

from tests.benchmarks.work import work

from . import settings

app = Celery("bench", broker=settings.AMQP_URL)
app.conf.update(
    broker_transport_options={"confirm_publish": True},
    task_acks_late=True,
    task_ignore_result=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1 if settings.PRIORITIES else 16,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_default_queue="celery",
)
if settings.PRIORITIES:
    app.conf.task_queues = [Queue("celery", queue_arguments={"x-max-priority": 10})]
else:
    app.conf.task_default_queue_type = "quorum"


@app.task(name="work")
def task(data: dict[str, Any]) -> None:
    work(data)


async def open_() -> None:
    pass


def submit(data: dict[str, Any], *, urgent: bool = False) -> str:
    priority = settings.URGENT if urgent else settings.LOW
    options = {"priority": priority} if settings.PRIORITIES else {}
    return str(task.apply_async((data,), **options).id)


async def fill(count: int, data: dict[str, Any]) -> None:
    with ThreadPoolExecutor(10) as threads:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(threads, submit, data) for _ in range(count)))
