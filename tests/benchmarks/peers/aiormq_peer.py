"""No peer but a limit: the bare driver on the coordinator's own topology, one message a task, which goes
to the work and to the log; the worker acknowledges and tells nothing.
"""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import aiormq
from aiormq.abc import DeliveredMessage

from tests.benchmarks.work import work_async

from . import settings

EXCHANGE, WORK, LOG = "bench.tasks", "bench.work", "bench.log"
PROPERTIES = aiormq.spec.Basic.Properties(delivery_mode=2, content_type="application/json")

_channels: list[aiormq.Channel] = []


async def open_() -> None:
    connection = await aiormq.connect(settings.AMQP_URL)
    channel = await connection.channel(publisher_confirms=True)
    await channel.exchange_declare(EXCHANGE, exchange_type="topic", durable=True)
    for queue in (WORK, LOG):
        await channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
        await channel.queue_bind(queue, EXCHANGE, "#")
    _channels.append(channel)


async def submit(data: dict[str, Any], *, urgent: bool = False) -> str:
    await _channels[0].basic_publish(
        json.dumps(data).encode(),
        exchange=EXCHANGE,
        routing_key="any.normal",
        properties=PROPERTIES,
        mandatory=True,
        wait=False,
    )
    return ""


async def fill(count: int, data: dict[str, Any]) -> None:
    for start in range(0, count, 100):
        await asyncio.gather(*(submit(data) for _ in range(min(100, count - start))))


async def consume() -> None:
    await open_()
    channel = _channels[0]
    await channel.basic_qos(prefetch_count=settings.PREFETCH)

    async def handle(message: DeliveredMessage) -> None:
        await work_async(json.loads(message.body))
        await channel.basic_ack(message.delivery_tag or 0, wait=False)

    await channel.basic_consume(WORK, handle)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await channel.connection.close()


if __name__ == "__main__":
    asyncio.run(consume())
