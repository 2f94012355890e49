"""Runs agents that have nothing to do in one process: `python idle_fleet.py kind first count queue...`.

Run by its path, so that it imports the agents of whatever checkout is on PYTHONPATH. ``kind`` is `agents`, or
`plain` for bare consumers of the same queues: what a fleet costs that lets the broker push. Each agent has
one slot and serves every lane of the queues. It prints a line when all are there.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

import aiormq
from aiormq.abc import DeliveredMessage

READY = "the fleet is there"


def url() -> str:
    return os.environ["BENCH_AMQP_URL"]


async def agents(first: int, count: int, capabilities: Sequence[str]) -> None:
    from consumers import Agent, Task
    from tests.benchmarks.work import work_async

    async def work(task: Task) -> None:
        await work_async(task.data)

    async with AsyncExitStack() as stack:
        fleet = []
        for number in range(first, first + count):
            agent = Agent(f"idle-{number:05d}", amqp_url=url(), capabilities=capabilities)
            agent.default(work)
            fleet.append(await stack.enter_async_context(agent.running()))
        for one in fleet:
            await one.registered()
        await _until_stopped()
        for one in fleet:
            one.hurry()


async def plain(count: int, queues: Sequence[str]) -> None:
    """Each holds one message of each queue at most, and does at once all that it holds."""
    from tests.benchmarks.work import work_async

    async def handle(message: DeliveredMessage) -> None:
        await work_async(json.loads(message.body)["task_data"])
        await message.channel.basic_ack(message.delivery_tag or 0, wait=False)

    connections = []
    for _ in range(count):
        connection = await aiormq.connect(url())
        connections.append(connection)
        channel = await connection.channel()
        await channel.basic_qos(prefetch_count=1)
        await asyncio.gather(*(channel.basic_consume(queue, handle) for queue in queues))
    await _until_stopped()
    await asyncio.gather(*(connection.close() for connection in connections))


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    print(READY, flush=True)
    await stopped.wait()


def main(kind: str, first: str, count: str, *queues: str) -> None:
    import uvloop

    names = {queue.partition("cap:")[2].rpartition(".")[0] for queue in queues}
    capabilities = sorted(names - {""})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if kind == "plain":
            runner.run(plain(int(count), queues))
        else:
            runner.run(agents(int(first), int(count), capabilities))


if __name__ == "__main__":
    main(*sys.argv[1:])
