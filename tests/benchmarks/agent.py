"""The taking loop beside plain prefetch, on a private broker: ``python -m tests.benchmarks.agent``.

* no-op tasks a second from a backlog, with one and two processes; agents tell started and completed
  of each task, plain prefetch tells nothing;
* the wait for a start at 80 % load, for agents and for naive prefetch on every queue.

One machine, and not a quiet one: read the figures as ratios to one another.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from coordinator.protocol.messages.events import TaskDeadLettered, TaskStarted
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from tests.support.field import Field, any_lane, lane
from tests.support.interrupting import end_as_by_ctrl_c
from tests.support.waiting import eventually

LANES = ("b", "c", "d", "e")


def sources(lanes: int) -> list[TaskQueue]:
    made = [any_lane(priority) for priority in Priority]
    return made + [lane(name, priority) for name in LANES[: lanes - 1] for priority in Priority]


@asynccontextmanager
async def workers(
    field: Field, kind: str, names: Sequence[str], *, processes: int, slots: int, window: int
) -> AsyncIterator[None]:
    for name in names:
        field.agent(name)  # the registration that it starts with
    queues = [source.queue for source in field.sources]
    common = ["--url", field.url, "--cache", str(field.cache_dir), "--queues", *queues]
    common += ["--slots", str(slots), "--window", str(window)]
    started = [
        subprocess.Popen(  # noqa: ASYNC220 - it returns at once
            [
                *(sys.executable, "-m", "tests.benchmarks.agent_worker", kind, *common),
                *("--names", *names[number::processes]),
            ],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for number in range(processes)
    ]
    try:
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            await asyncio.to_thread(process.wait, 30)


async def until_left(field: Field, source: TaskQueue, at_most: int) -> int:
    while True:
        left = await field.depth(source)
        if left <= at_most:
            return left
        await asyncio.sleep(0.005)


async def drain_rate(
    field: Field, kind: str, *, count: int, processes: int, slots: int, window: int = 128
) -> float:
    """Tasks a second from a backlog of no-ops, once all processes are at it."""
    source = any_lane("low")
    await field.submit_many(source, count)
    names = [f"drain-{number}" for number in range(processes)]
    async with workers(field, kind, names, processes=processes, slots=slots, window=window):
        first = await until_left(field, source, int(0.9 * count))
        began = time.perf_counter()
        left = await until_left(field, source, 0)
        return (first - left) / (time.perf_counter() - began)


async def waits(
    field: Field, kind: str, *, agents: int, seconds: float, load: float, span: float
) -> list[float]:
    """Milliseconds from submission to start of tasks that last ``seconds``, submitted for ``span``
    seconds at random times over all lanes."""
    lanes = [source for source in field.sources if source.priority is Priority.NORMAL]
    names = [f"{kind}-{number}" for number in range(agents)]
    submitted: dict[str, float] = {}
    gap = seconds / (agents * load)
    field.events.clear()
    async with workers(field, kind, names, processes=2, slots=1, window=1):
        warm = await field.submit_many(lanes[0], agents, seconds=0.1)
        await eventually(lambda: set(warm) <= set(field.started()), timeout=60)
        await asyncio.sleep(2)
        sending: list[asyncio.Task[None]] = []

        async def send(source: TaskQueue) -> None:
            message = field.message(source, seconds=seconds)
            submitted[message.task_id] = message.submitted_at.timestamp()
            await field.send(source, message)

        due = time.perf_counter()
        until = due + span
        while due < until:
            due += random.expovariate(1 / gap)
            await asyncio.sleep(max(0, due - time.perf_counter()))
            sending.append(asyncio.create_task(send(random.choice(lanes))))
        await asyncio.gather(*sending)
        await eventually(lambda: set(submitted) <= set(field.started()), timeout=60)
    starts = {
        event.data.task_id: event.time.timestamp()
        for event in reversed(field.events)
        if isinstance(event.data, TaskStarted)
    }
    return sorted(1000 * (starts[task_id] - at) for task_id, at in submitted.items())


def told(values: Sequence[float]) -> str:
    def quantile(share: float) -> float:
        return values[min(len(values) - 1, int(share * len(values)))]

    return f"{quantile(0.5):7.0f} {quantile(0.99):7.0f} {values[-1]:7.0f}"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--amqp-url", help="a broker with an empty virtual host, instead of a new one"
    )
    parser.add_argument("--count", type=int, default=8000, help="no-op tasks in each round")
    parser.add_argument("--span", type=float, default=15, help="seconds of load in each round")
    parser.add_argument("--only", choices=["drain", "waits"])
    given = parser.parse_args()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = given.amqp_url
        if url is None:
            node = EmbeddedNode(folder / "node", standard_ports=False)
            url = (await stack.enter_async_context(node)).amqp_url
        field = await stack.enter_async_context(Field(url, folder / "cache"))
        await field.open(*sources(1))
        if given.only != "waits":
            print(f"no-op tasks a second, {given.count} queued")
            for kind, what in (("naive", "plain prefetch 128, ack only"), ("agents", "agents")):
                for processes in (1, 2):
                    for slots in (1,) if kind == "naive" else (1, 4, 16):
                        rate = await drain_rate(
                            field, kind, count=given.count, processes=processes, slots=slots
                        )
                        print(f"  {what}: {processes} processes, {slots} slots: {rate:6.0f}/s")
        if given.only != "drain":
            await field.open(*sources(5)[5:])
            print("50 agents, 5 lanes, 250 ms tasks, 80 % load: wait p50 / p99 / max in ms")
            for kind in ("naive", "agents"):
                found = await waits(field, kind, agents=50, seconds=0.25, load=0.8, span=given.span)
                dead = len(field.heard(TaskDeadLettered))
                print(f"  {kind:7}{told(found)}   of {len(found)}, {dead} dead-lettered")


if __name__ == "__main__":
    end_as_by_ctrl_c()
    asyncio.run(main())
