"""Subscribers come and go while coordinators are killed: each has every event once, in the ledger's order."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables import schema
from tests.e2e.processes import client, service
from tests.support.broker import Broker
from tests.support.ports import free_port
from tests.support.server_sent_events import streaming
from tests.support.waiting import eventually

KILLS = 20
SUBSCRIBERS = 50
LOST = (OSError, asyncio.IncompleteReadError, TimeoutError, AssertionError, IndexError)
"""What a subscriber sees of a process that was killed, or has not started yet."""


class Subscriber:
    """Collects positions, as a browser does: it comes back with the last id, to any of the processes."""

    def __init__(self, urls: Sequence[str], chance: random.Random) -> None:
        self._urls = urls
        self._chance = chance
        self.positions: list[int] = []
        self.came_back = 0

    async def collect(self) -> None:
        """Ends only by cancellation."""
        while True:
            with suppress(*LOST):
                await self._once()
            self.came_back += 1
            await asyncio.sleep(self._chance.uniform(0.01, 0.2))

    async def _once(self) -> None:
        """Until the connection is lost, or it hangs up by itself."""
        last = self.positions[-1] if self.positions else 0
        stays = self._chance.uniform(0.05, 4)
        begins = {"Last-Event-ID": str(last)}
        async with asyncio.timeout(stays):
            async with streaming(self._chance.choice(self._urls), "/events", begins) as stream:
                assert stream.status == 200
                while (frame := await stream.frame()) is not None:
                    assert frame.event != "stream.incomplete"
                    if frame.data is not None and frame.event != "stream.end":
                        self.positions.append(frame.position)


async def in_the_ledger(url: str) -> list[int]:
    position, kind = schema.events.c.position, schema.events.c.type
    query = sa.select(position).where(kind.like("task.%") | kind.like("agent.%"))
    async with Ledger(url) as ledger:
        return await ledger.read(
            lambda connection: list(connection.execute(query.order_by(position)).scalars())
        )


async def produce(urls: Sequence[str], chance: random.Random) -> None:
    """Submits and cancels, at whichever coordinator answers; ends only by cancellation."""
    async with AsyncExitStack() as stack:
        https = [await stack.enter_async_context(client(url)) for url in urls]
        while True:
            http = chance.choice(https)
            with suppress(httpx.HTTPError, KeyError):
                answer = await http.post("/tasks/submit", json={"task_data": {}}, timeout=5)
                if chance.random() < 0.3:
                    await http.post(f"/tasks/{answer.json()['task_id']}/cancel", timeout=5)
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.any_broker
@pytest.mark.timeout(600)
async def test_each_subscribers_events_are_the_ledgers_over_twenty_kills_of_its_coordinators(
    broker: Broker, ledger_url: str, tmp_path: Path
) -> None:
    chance = random.Random(20)
    ports = [free_port(), free_port()]
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    settings = {"COORDINATOR_DATABASE_URL": ledger_url, "COORDINATOR_PROJECTOR": "same"}

    async def killed_again_and_again(number: int) -> None:
        """Every kill is of a process that has answered; the last one is left alive."""
        for kill in range(KILLS // len(ports) + 1):
            data = tmp_path / f"{number}-{kill}"
            started = service(broker.url, data, port=ports[number], environment=settings)
            process, url = await services.enter_async_context(started)
            async with client(url) as http:
                await http.get("/health/live")
            if kill == KILLS // len(ports):
                return
            await asyncio.sleep(chance.uniform(0, 1.5))
            process.signal(signal.SIGKILL)
            await process.wait()

    subscribers = [Subscriber(urls, random.Random(number)) for number in range(SUBSCRIBERS)]
    async with AsyncExitStack() as services:
        collecting = [asyncio.create_task(one.collect()) for one in subscribers]
        producing = asyncio.create_task(produce(urls, chance))
        try:
            await asyncio.gather(*(killed_again_and_again(number) for number in range(len(ports))))
            async with client(urls[0]) as http:

                async def takes_tasks() -> bool:
                    answer = await http.post("/tasks/submit", json={"task_data": {}})
                    return answer.status_code == 200

                await eventually(takes_tasks, timeout=60)
            producing.cancel()
            await asyncio.gather(producing, return_exceptions=True)

            right: list[int] = []

            async def all_of_it() -> bool:
                right[:] = await in_the_ledger(ledger_url)
                return len(right) > KILLS and all(one.positions == right for one in subscribers)

            # What is wrong stays wrong, and is shown below. A last submission that nobody waited for may
            # be recorded once all was right.
            with suppress(AssertionError):
                await eventually(all_of_it, timeout=60)
            positions = [list(one.positions) for one in subscribers]
        finally:
            for task in (*collecting, producing):
                task.cancel()
            await asyncio.gather(*collecting, producing, return_exceptions=True)
    assert sum(one.came_back for one in subscribers) > SUBSCRIBERS * KILLS / 2
    for each in positions:
        assert each == right
