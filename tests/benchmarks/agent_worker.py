"""A process full of agents, or of naive consumers to compare them with; `agent` starts it."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from consumers import Agent, Task
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.protocol.ids import new_id
from coordinator.protocol.messages.event_codec.event_encoding import encode, routing_key
from coordinator.protocol.messages.events import Event, TaskStarted
from coordinator.protocol.topology import EVENTS


async def agents(names: Sequence[str], url: str, cache: Path, slots: int) -> None:
    """The SDK's agents; their tasks say how long they last."""

    async def work(task: Task) -> None:
        if seconds := task.data.get("seconds", 0):
            await asyncio.sleep(seconds)

    async with AsyncExitStack() as stack:
        for name in names:
            agent = Agent(name, slots=slots, amqp_url=url, cache_dir=cache)
            agent.default(work)
            await stack.enter_async_context(agent.running())
        await told_to_stop()


async def naive(names: Sequence[str], url: str, queues: Sequence[str], window: int) -> None:
    """A consumer on every queue, prefetch ``window`` each, one task at a time; tells only starts,
    and only of tasks that last."""
    async with Connection(url, name="naive events") as events, Publisher(events) as publisher:
        await publisher.ready()
        async with AsyncExitStack() as stack:
            running = []
            for name in names:
                connection = await stack.enter_async_context(Connection(url, name=name))
                arrived: asyncio.Queue[Delivery] = asyncio.Queue()
                link = await connection.opened()
                channel = await link.channel(prefetch=window)
                for queue in queues:
                    await channel.consume(queue, arrived.put_nowait, tag=new_id())
                running.append(asyncio.create_task(_one_by_one(name, arrived, publisher)))
            await told_to_stop()
            for task in running:
                task.cancel()
            await asyncio.wait(running)


async def _one_by_one(name: str, arrived: asyncio.Queue[Delivery], publisher: Publisher) -> None:
    while True:
        delivery = await arrived.get()
        task: dict[str, Any] = json.loads(delivery.message.body)
        seconds = task["task_data"].get("seconds", 0)
        if seconds:
            event = Event(data=TaskStarted(task_id=task["task_id"], agent_id=name))
            await publisher.publish(encode(event), exchange=EVENTS, key=routing_key(event.data))
            await asyncio.sleep(seconds)
        await delivery.ack()


async def told_to_stop() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["agents", "naive"])
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--queues", nargs="*", default=[])
    parser.add_argument("--window", type=int, default=1)
    given = parser.parse_args()
    if given.kind == "agents":
        asyncio.run(agents(given.names, given.url, given.cache, given.slots))
    else:
        asyncio.run(naive(given.names, given.url, given.queues, given.window))


if __name__ == "__main__":
    main()
