"""A message that the broker cannot deliver: it ends the connection of whoever reads the queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from coordinator.bootstrap import running
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.protocol.codec import encode, routing_key
from coordinator.protocol.events import Event, LedgerMarked
from coordinator.protocol.topology import EVENTS, LOG, UNROUTED, WORK
from coordinator.settings import Settings
from tests.contract.fakes import over
from tests.support.broker import Broker
from tests.support.doctor import Doctor
from tests.support.hanging_up import HangingUp, hanging_up
from tests.support.waiting import eventually

MARK = Event(data=LedgerMarked())
"""Something to be read that changes nothing."""


@pytest.fixture
async def front(broker: Broker) -> AsyncIterator[HangingUp]:
    async with hanging_up(broker.url) as front:
        yield front


async def publish(broker: Broker, *, exchange: str, key: str) -> None:
    async with (
        Connection(broker.url, name=broker.name) as connection,
        Publisher(connection) as publisher,
    ):
        await publisher.ready()
        await publisher.publish(encode(MARK), exchange=exchange, key=key, mandatory=True)


@pytest.mark.parametrize(
    ("queue", "exchange", "key"),
    [(LOG, EVENTS, routing_key(MARK.data)), (UNROUTED, WORK, "nowhere")],
)
async def test_it_is_told_which_queue_it_is_and_what_to_do_until_it_can_be_read(
    broker: Broker, front: HangingUp, tmp_path: Path, queue: str, exchange: str, key: str
) -> None:
    doctor = Doctor(broker, tmp_path)
    settings = Settings(amqp_url=front.url, data_dir=tmp_path)
    async with running(settings) as coordinator, over(coordinator.app) as http:
        await coordinator.ready()

        async def problems() -> str:
            return " ".join((await http.get("/health")).json().get("problems", []))

        async def well() -> bool:
            return not await problems()

        await eventually(well)
        front.queue = queue
        front.cut()
        await publish(broker, exchange=exchange, key=key)

        async def told() -> bool:
            return f"ends the connection whenever {queue} is read" in await problems()

        await eventually(told, timeout=60)
        assert front.times > 1
        assert "update RabbitMQ" in await problems()
        fix = await doctor.finds("log", f"whenever {queue} is read")
        assert "its own log says why" in fix
        _, findings = await doctor.visit()
        assert not any("No coordinator reads the log: " in one["text"] for one in findings["log"])

        front.queue = None
        await eventually(well, timeout=60)
        await doctor.finds_no_problem()
