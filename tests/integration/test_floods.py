"""Floods of messages that are no events, on a real broker: what they cost, and who is named for them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.connection import Connection, Link
from coordinator.broker.prefetch_window import PrefetchWindow
from coordinator.broker.publisher import Publisher
from coordinator.protocol.message import Message
from coordinator.protocol.topology import EVENTS, LOG, TOPOLOGY
from tests.e2e.processes import client, get, service
from tests.support.broker import Broker
from tests.support.waiting import eventually

KEY = "task.mallory.started"
MEBIBYTE = 1024**2


@pytest.fixture
async def connection(broker: Broker) -> AsyncIterator[Connection]:
    async with Connection(broker.url, name="test") as connection:
        yield connection


@pytest.fixture
async def link(connection: Connection) -> Link:
    link = await connection.opened_or_refused()
    channel = await link.channel()
    await channel.declare(TOPOLOGY)
    await channel.close()
    return link


@pytest.fixture
async def publisher(connection: Connection, link: Link) -> AsyncIterator[Publisher]:
    async with Publisher(connection) as publisher:
        await publisher.ready()
        yield publisher


async def flood(publisher: Publisher, count: int, *, size: int, first: int = 0) -> None:
    """In order; each begins with its number."""

    async def send(number: int) -> None:
        body = b"%06d %s" % (number, b"x" * size)
        await publisher.publish(Message(body=body), exchange=EVENTS, key=KEY)

    await send(first)  # what is larger than any before goes another way, and the others may pass it
    for start in range(first + 1, first + count, 50):
        await asyncio.gather(*map(send, range(start, min(start + 50, first + count))))


async def test_a_reader_holds_no_more_bytes_than_it_may_and_reads_all_in_order(
    link: Link, publisher: Publisher
) -> None:
    """Large messages narrow the window, small ones behind them widen it again."""
    window = PrefetchWindow(200, most_bytes=MEBIBYTE)
    await flood(publisher, 150, size=50_000)
    await flood(publisher, 1000, size=10, first=150)
    seen: list[int] = []
    held: list[int] = []
    counts: list[int] = []
    while len(seen) < 1150:
        counts.append(window.count)
        async with BatchReader(link, queue=LOG, name="r", batch=100, window=window) as batches:
            if not seen:
                await eventually(lambda: window.count < 200)  # there is no room for the next
            async for batch in batches:
                held.append(window.held)
                seen += [int(one.message.body.split()[0]) for one in batch]
                await batches.settle(batch)
                if len(seen) == 1150:
                    break
    assert seen == [*range(1150)]
    assert max(held) <= MEBIBYTE
    assert (counts[:2], counts[-1]) == ([200, 10], 200)
    assert len(counts) <= 5


async def test_a_message_that_is_larger_than_the_window_is_read_alone(
    link: Link, publisher: Publisher
) -> None:
    window = PrefetchWindow(200, most_bytes=100_000)
    await flood(publisher, 3, size=200_000)
    seen: list[int] = []
    while len(seen) < 3:
        async with BatchReader(link, queue=LOG, name="r", window=window) as batches:
            if not seen:
                await eventually(lambda: window.count < 200)  # the second found no room
            async for batch in batches:
                seen += [int(one.message.body.split()[0]) for one in batch]
                await batches.settle(batch)
                if len(seen) == 3:
                    break
    assert seen == [0, 1, 2]
    assert window.count == 1


@pytest.mark.any_broker
async def test_a_flood_takes_bounded_memory_and_disk_and_its_author_is_named(
    broker: Broker, publisher: Publisher, ledger_url: str, tmp_path: Path
) -> None:
    """320 MiB that wait while the service is frozen."""
    bounds = {
        "COORDINATOR_DATABASE_URL": ledger_url,
        "COORDINATOR_KEEP_PARKED": "100",
        "COORDINATOR_KEEP_PARKED_BYTES": str(2 * MEBIBYTE),
        "COORDINATOR_PROJECTOR": "same",
    }
    async with (
        service(broker.url, tmp_path, environment=bounds) as (process, url),
        client(url) as http,
    ):
        await eventually(lambda: healthy(http))
        before = memory(process.pid)
        process.signal(signal.SIGSTOP)
        await flood(publisher, 320, size=MEBIBYTE)
        process.signal(signal.SIGCONT)

        async def all_parked() -> Any:
            page = await get(http, "/parked")
            return page["total"] + page["dropped"] == 320 and page

        page = await eventually(all_parked, timeout=60)
        assert memory(process.pid) - before < 100 * MEBIBYTE
        assert 20 <= page["total"] <= 32
        assert {one["author"] for one in page["parked"]} == {"mallory (user coordinator)"}
        assert page["parked"][0]["size"] == MEBIBYTE + len("000319 ")
        health = await get(http, "/health")
        assert health["status"] == "degraded"
        (problem,) = health["problems"]
        assert problem.startswith("'mallory (user coordinator)' floods the log: 320 messages of 33")


async def healthy(http: Any) -> bool:
    return bool((await get(http, "/health"))["status"] == "healthy")


def memory(pid: int) -> int:
    """Bytes of the most that the process had at a time."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [one for one in status.splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
