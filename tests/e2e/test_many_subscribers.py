"""Two thousand subscribers that wait cost a coordinator less than 100 MiB, and each is told what happens."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.e2e.processes import client, ready, service
from tests.support.broker import Broker
from tests.support.server_sent_events import streaming
from tests.support.waiting import eventually

SUBSCRIBERS = 2000
MOST = 100 * 1024 * 1024


def memory_of(pid: int) -> int:
    """Bytes that are resident."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [kibibytes] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(kibibytes) * 1024


@pytest.mark.slow
@pytest.mark.any_broker
@pytest.mark.parametrize("path", ["/events", "/events?task_id=waited-for"])
async def test_two_thousand_idle_subscribers_take_less_than_a_hundred_mebibytes(
    broker: Broker, tmp_path: Path, path: str
) -> None:
    settings = {"COORDINATOR_PROJECTOR": "same"}
    async with (
        service(broker.url, tmp_path, environment=settings) as (process, url),
        client(url) as http,
        AsyncExitStack() as stack,
    ):
        await ready(http)
        one = await stack.enter_async_context(streaming(url, path))
        assert (await one.frame()) is not None
        before = memory_of(process.pid)
        streams = [one]
        for _ in range(0, SUBSCRIBERS, 50):
            streams += await asyncio.gather(
                *(stack.enter_async_context(streaming(url, path)) for _ in range(50))
            )
        assert all([await stream.frame() for stream in streams[1:]])
        took = memory_of(process.pid) - before
        assert took < MOST, f"{took / 2**20:.1f} MiB"

        async def submitted() -> bool:
            body = {"task_data": {"task_id": "waited-for"}}
            return (await http.post("/tasks/submit", json=body)).status_code == 200

        await eventually(submitted)
        for event in await asyncio.gather(*(stream.event() for stream in streams)):
            assert event is not None
            assert event.event == "task.submitted"
