"""What two logs with a projector each would bring: `python -m tests.benchmarks.split_log [tasks]`.

The product has one log and one projector at a time. Here tasks are split over one log or two by their id, and

publish ... the same messages are confirmed by one quorum queue, or by two
fold ...... each log is folded by a process of its own into one ledger; the fence, which would let one of two
            write, is left out

The figures of docs/operations/scale.md are from here; rounds alternate.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.domain.transitions.effects import Rules
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.topology import QueueSpec, Topology
from coordinator.rabbitmq_node.embedded_node import EmbeddedNode
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.projection.log_decoder import LogDecoder
from tests.support.interrupting import end_as_by_ctrl_c
from tests.support.postgres import own_postgres_server

from .arena import say
from .processes import cpu_seconds
from .projector import SECRET, deliveries

ROUNDS = 3
PARTS = (1, 2)
BATCH = 1000
MESSAGES = 20_000
PUBLISHERS = 4
GO = "go\n"


async def fold(url: str, part: int, parts: int, count: int) -> None:
    """In a process of its own: fold the tasks of one part, once told to, and print the seconds."""
    log = list(deliveries(count, batched=True, part=part, parts=parts))
    decoder = LogDecoder(secret=SECRET)
    async with Ledger(url) as ledger:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        began, cpu = time.monotonic(), time.process_time()
        for start in range(0, len(log), BATCH // 10):
            readings = decoder.read(log[start : start + BATCH // 10])
            events: list[Event] = [event for reading in readings for event in reading.events]
            rules = Rules(now=datetime.now(UTC))
            await ledger.write(partial(store, events=events, rules=rules))
        print(time.monotonic() - began, time.process_time() - cpu, flush=True)


async def folded(url: str, parts: int, count: int) -> tuple[float, float]:
    """Events a second of all processes together, and the seconds of CPU that they took."""
    async with Ledger(url):
        pass  # made before several open it
    processes = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __spec__.name, "fold", url, str(part), str(parts), str(count)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for part in range(parts)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    began = time.monotonic()
    told = await asyncio.gather(*(process.communicate(GO.encode()) for process in processes))
    took = time.monotonic() - began
    return 3 * count / took, sum(float(out.split()[1]) for out, _ in told)


async def published(node: EmbeddedNode, queues: int) -> tuple[float, float]:
    """Messages a second that are confirmed, and the broker's seconds of CPU."""
    names = [f"log.{number}" for number in range(queues)]
    specs = tuple(QueueSpec(name=name, arguments={"x-queue-type": "quorum"}) for name in names)
    async with AsyncExitStack() as stack:
        reading = await stack.enter_async_context(Connection(node.amqp_url, name="declares"))
        publishers = []
        for number in range(PUBLISHERS):
            connection = Connection(node.amqp_url, name=f"publisher {number}")
            await stack.enter_async_context(connection)
            publishers.append(await stack.enter_async_context(Publisher(connection)))
            await publishers[-1].ready()
        channel = await (await reading.opened()).channel()
        await channel.declare(Topology(queues=specs))
        body = b"x" * 400
        sending = [
            [
                Outgoing(Message(body=body), "", names[one % queues], mandatory=True)
                for one in range(MESSAGES // PUBLISHERS)
            ]
            for _ in publishers
        ]
        began, cpu = time.monotonic(), cpu_seconds(node.pid)
        ended = await asyncio.gather(
            *(
                one.publish_all(some, deadline=asyncio.get_running_loop().time() + 120)
                for one, some in zip(publishers, sending, strict=True)
            )
        )
        took = time.monotonic() - began
        assert not any(error for some in ended for error in some)
        used = cpu_seconds(node.pid) - cpu
        for name in names:
            await channel.delete_queue(name)
    return MESSAGES / took, used


def _told(what: str, rounds: Sequence[tuple[float, float]], count: int) -> str:
    rate, cpu = (statistics.median(one) for one in zip(*rounds, strict=True))
    return f"| {what:<48} | {rate:>9.0f} | {1e6 * cpu / count:>12.1f} |"


async def main(count: int) -> None:
    found: dict[str, list[tuple[float, float]]] = {}
    counts: dict[str, int] = {}
    server = own_postgres_server()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with EmbeddedNode(folder / "node", say=say, standard_ports=False) as node:
            for _ in range(ROUNDS):
                for queues in PARTS:
                    what = f"confirmed by {queues} quorum queue{'s' * (queues > 1)}, messages"
                    found.setdefault(what, []).append(await published(node, queues))
                    counts[what] = MESSAGES
        if server is not None:
            server.start()
        try:
            for number in range(ROUNDS):
                for parts in PARTS:
                    urls = {"SQLite": f"sqlite:///{folder}/{number}-{parts}.sqlite3"}
                    with (
                        server.database()
                        if server is not None
                        else tempfile.TemporaryDirectory() as url
                    ):
                        if server is not None:
                            urls["PostgreSQL"] = url
                        for kind, at in urls.items():
                            what = f"folded into {kind} by {parts} projector{'s' * (parts > 1)}, events"
                            found.setdefault(what, []).append(await folded(at, parts, count))
                            counts[what] = 3 * count
        finally:
            if server is not None:
                server.remove()
    print(f"| {'what':<48} | {'a second':>9} | {'CPU µs each':>12} |")
    print(f"| {'-' * 48} | {'-' * 9} | {'-' * 12} |")
    for what, rounds in sorted(found.items()):
        print(_told(what, rounds, counts[what]))


if __name__ == "__main__":
    end_as_by_ctrl_c()
    if sys.argv[1:2] == ["fold"]:
        asyncio.run(fold(sys.argv[2], *map(int, sys.argv[3:])))
    else:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
