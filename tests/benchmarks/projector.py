"""How many events a second the projector folds into SQLite and into PostgreSQL, without a broker.

    python -m tests.benchmarks.projector [tasks]

Each task is three messages of the log: submitted, started, completed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import cast

from coordinator.broker.channel import Channel, Delivery
from coordinator.broker.publisher import Publisher
from coordinator.protocol.message import Message
from coordinator.protocol.messages.event_codec.event_encoding import (
    encode,
    encode_batch,
    routing_key,
)
from coordinator.protocol.messages.events import Event, TaskCompleted, TaskStarted
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS, TASKS
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.command_sender import CommandSender
from coordinator.registry.projection.log_decoder import LogDecoder
from coordinator.registry.projection.projector import BESIDE, ProjectionListeners, Projector
from coordinator.registry.projection.projector_fence import ProjectorFence
from tests.support.interrupting import end_as_by_ctrl_c
from tests.support.postgres import own_postgres_server

SECRET = bytes(32)
IN_FLIGHT = 200
"""Tasks between their submission and their completion in the log."""


def task(number: int) -> TaskMessage:
    task_id = f"0192f0c0-0000-7000-8000-{number:012d}"
    return TaskMessage(
        task_id=task_id,
        task_data={"task_type": "word-count", "text": "x" * 200, "options": {"n": number}},
        priority=Priority.NORMAL,
        submitted_at=datetime.now(UTC),
        task_token=task_token(SECRET, task_id, 1, 1),
    )


def deliveries(count: int, *, batched: bool, part: int = 0, parts: int = 1) -> Iterator[Delivery]:
    """The log of ``count`` tasks, or one of so many ``parts`` of it; where ``batched``, agents send fifty
    events in a message.
    """
    waiting: list[TaskMessage] = []
    for number in range(part, count, parts):
        message = task(number)
        waiting.append(message)
        yield delivery(message.to_message(), message.source.key, TASKS)
        if len(waiting) == IN_FLIGHT or number + parts >= count:
            yield from spoken([_started(one) for one in waiting], batched=batched)
            yield from spoken([_completed(one) for one in waiting], batched=batched)
            waiting.clear()


def spoken(events: Sequence[Event], *, batched: bool) -> Iterator[Delivery]:
    if not batched:
        for event in events:
            yield delivery(encode(event), routing_key(event.data))
        return
    for start in range(0, len(events), 50):
        key, message = encode_batch(events[start : start + 50])
        yield delivery(message, key)


def delivery(message: Message, key: str, exchange: str = EVENTS) -> Delivery:
    return Delivery(
        message=message,
        exchange=exchange,
        routing_key=key,
        redelivered=False,
        tag=0,
        channel=cast("Channel", None),
    )


def _started(one: TaskMessage) -> Event:
    return Event(data=TaskStarted(task_id=one.task_id, agent_id="agent-1", instance="i"))


def _completed(one: TaskMessage) -> Event:
    data = TaskCompleted(
        task_id=one.task_id,
        agent_id="agent-1",
        result={"words": 40, "longest": "x" * 20},
        duration_seconds=0.01,
        task_token=one.task_token,
    )
    return Event(data=data)


@contextlib.contextmanager
def ledger_urls() -> Iterator[list[str]]:
    """Of a new ledger in each kind of database that there is; PostgreSQL's files are in memory."""
    server = own_postgres_server()
    with contextlib.ExitStack() as stack:
        urls = []
        for number in range(2):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            urls.append(f"sqlite:///{folder}/{number}.sqlite3")
        if server is not None:
            stack.callback(server.remove)
            server.start()
            urls += (stack.enter_context(server.database()) for _ in range(2))
        yield urls


async def measure(url: str, count: int, *, batched: bool) -> str:
    log = list(deliveries(count, batched=batched))
    async with Ledger(url) as ledger:
        folded: list[Event] = []
        fence = ProjectorFence(ledger)
        await fence.begin_epoch()
        reader = LogDecoder(secret=SECRET)
        projector = Projector(
            fence=fence,
            reader=reader,
            commands=CommandSender(cast("Publisher", None)),
            told=ProjectionListeners(folded=folded.extend),
        )
        reading = storing = 0.0
        for start in range(0, len(log), BESIDE.batch):
            began = time.perf_counter()
            readings = await asyncio.to_thread(reader.read, log[start : start + BESIDE.batch])
            read = time.perf_counter()
            await projector._store(readings)
            reading += read - began
            storing += time.perf_counter() - read
    label = f"{url.partition(':')[0]}, {'50' if batched else 'one'} a message"
    return (
        f"{label:<28}{len(log):>10}{len(folded):>10}{reading:>10.2f}{storing:>10.2f}"
        f"{len(folded) / (reading + storing):>12.0f}"
    )


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(
        f"{'events':<28}{'messages':>10}{'events':>10}{'read s':>10}{'store s':>10}{'events/s':>12}"
    )
    with ledger_urls() as urls:
        for url, batched in zip(urls, (False, True, False, True), strict=False):
            print(await measure(url, count, batched=batched))


if __name__ == "__main__":
    end_as_by_ctrl_c()
    asyncio.run(main())
