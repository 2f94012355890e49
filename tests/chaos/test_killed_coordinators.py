"""The coordinator is killed again and again under load, and afterwards nothing is amiss.

`make chaos` kills it twenty times; `make test` a few times. What is random comes from a seed, which is
printed: run with CHAOS_SEED=<seed> for the same kills.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from coordinator.domain.task import ENDED
from coordinator.protocol.topology import LOG
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.tables import schema
from tests.e2e.processes import agent_process, client, service, spawned
from tests.support.broker import Broker
from tests.support.waiting import eventually
from tests.unit.registry.answers import answers, totals_agree

SUBMITTERS = 4
BETWEEN = 0.01
"""Seconds between two requests of one submitter: the agents keep up."""


@dataclass
class Producer:
    """Submits and cancels whatever it is answered, and remembers what was answered 200."""

    http: httpx.AsyncClient
    rng: random.Random
    accepted: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)
    refused: int = 0
    """Requests that were answered by nobody, or 503."""

    async def run(self) -> None:
        while True:
            await asyncio.sleep(BETWEEN)
            try:
                await (self._cancel if self.rng.random() < 0.1 else self._submit)()
            except httpx.TransportError:
                self.refused += 1

    async def _submit(self) -> None:
        body: dict[str, Any] = {
            "task_data": {"failures": self.rng.choice([0, 0, 0, 0, 1, 5])},
            "priority": self.rng.choice(["low", "normal", "urgent"]),
            "max_attempts": 2,
            "backoff": {"first_seconds": 0.2},
        }
        if self.rng.random() < 0.1:
            body["delay_seconds"] = 1
        answer = await self.http.post("/tasks/submit", json=body)
        if answer.status_code == 200:
            self.accepted.append(answer.json()["task_id"])
        else:
            assert answer.status_code == 503, answer.text
            self.refused += 1

    async def _cancel(self) -> None:
        if not self.accepted:
            return
        task_id = self.rng.choice(self.accepted[-20:])
        answer = await self.http.post(f"/tasks/{task_id}/cancel")
        assert answer.status_code in (200, 202, 409, 503), answer.text
        if answer.status_code == 200:
            self.cancelled.add(task_id)


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.any_broker
async def test_a_coordinator_killed_some_times_loses_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    await killed_again_and_again(broker, tmp_path, kills=4)


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_a_coordinator_killed_twenty_times_loses_nothing(
    broker: Broker, tmp_path: Path
) -> None:
    await killed_again_and_again(broker, tmp_path, kills=20)


async def killed_again_and_again(broker: Broker, folder: Path, *, kills: int) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CHAOS_SEED={seed}")
    rng = random.Random(seed)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    data = folder / "service"
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(client(url))
        producer = Producer(http, random.Random(rng.random()))
        for name in ("ada", "bob"):
            agent = agent_process(broker.url, folder / f"{name}.out", name, work_ms=5)
            await stack.enter_async_context(agent)
        submitting = [asyncio.create_task(producer.run()) for _ in range(SUBMITTERS)]
        stack.callback(lambda: [one.cancel() for one in submitting])
        # The first life is long enough for the agents to have been registered.
        await one_life(broker, data, port, partial(taken, producer, 100))
        for number in range(kills - 1):
            if rng.random() < 0.25:
                await killed_while_it_starts(broker, data, port, rng.uniform(0.0, 2.0))
            else:
                enough = len(producer.accepted) + rng.randrange(1, 200)
                await one_life(broker, data, port, partial(taken, producer, enough))
            assert not any(one.done() for one in submitting), f"after {number + 2} kills"
        for one in submitting:
            one.cancel()
        async with service(broker.url, data, port=port):
            await eventually(lambda: all_ended(broker, data, producer.accepted), timeout=90)
    print(f"accepted {len(producer.accepted)}, not answered {producer.refused}")
    assert producer.accepted
    assert producer.refused, "no kill was felt"
    await nothing_is_amiss(data, producer)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def one_life(
    broker: Broker, data: Path, port: int, lives: Callable[[], Awaitable[object]]
) -> None:
    """It starts, listens, lives for that long, and is killed."""
    async with service(broker.url, data, port=port) as (process, _):
        await lives()
        process.signal(signal.SIGKILL)
        await process.wait()


async def taken(producer: Producer, enough: int) -> None:
    await eventually(lambda: len(producer.accepted) >= enough, timeout=60)


async def killed_while_it_starts(broker: Broker, data: Path, port: int, after: float) -> None:
    command = [sys.executable, "-m", "coordinator", "serve", "--amqp-url", broker.url]
    command += ["--data-dir", str(data), "--port", str(port)]
    async with spawned(*command, output=data / "starting.out") as process:
        await asyncio.sleep(after)
        process.signal(signal.SIGKILL)
        await process.wait()


async def all_ended(broker: Broker, data: Path, accepted: list[str]) -> bool:
    if await broker.depth(LOG):
        return False
    async with Ledger(f"sqlite:///{data / 'ledger.sqlite3'}") as ledger:
        states = await states_of(ledger)
    return all(states.get(one) in ENDED for one in accepted)


async def states_of(ledger: Ledger) -> dict[str, str]:
    query = sa.select(schema.tasks.c.task_id, schema.tasks.c.state).where(
        schema.tasks.c.content > 0
    )
    rows = await ledger.read(lambda connection: connection.execute(query).all())
    return {row.task_id: row.state for row in rows}


async def nothing_is_amiss(data: Path, producer: Producer) -> None:
    async with Ledger(f"sqlite:///{data / 'ledger.sqlite3'}") as ledger:
        states = await states_of(ledger)
        assert set(producer.accepted) <= states.keys()
        assert {states[one] for one in producer.accepted} <= ENDED
        assert {states[one] for one in producer.cancelled} <= ENDED
        waiting = sa.select(sa.func.count()).select_from(schema.outbox)
        parked = sa.select(schema.parked.c.reason)
        assert await ledger.read(lambda found: found.execute(waiting).scalar()) == 0
        assert await ledger.read(lambda found: found.execute(parked).scalars().all()) == []
        assert await totals_agree(ledger)
        live = await answers(ledger)
        await ledger.write(rebuild)
        assert await answers(ledger) == live
