"""A flood of output leaves time to everything else in its process."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, cast

import pytest

from coordinator.broker.channel import Channel, Delivery
from coordinator.partial_output.output_reader import TURN, OutputReader
from coordinator.partial_output.output_subscriptions import PartialOutput
from coordinator.protocol.message import Message
from tests.support.waiting import eventually


class Acknowledged:
    def __init__(self) -> None:
        self.tags: list[int] = []

    async def ack(self, tag: int, *, multiple: bool = False) -> None:
        self.tags.append(tag)


def reader() -> OutputReader:
    output = PartialOutput(
        tail_bytes=1024,
        most_bytes=2**20,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
    )
    return OutputReader(output, process="p", secret=b"s")


def delivery(tag: int, channel: Acknowledged) -> Delivery:
    return Delivery(
        message=Message(body=b"{}"),
        exchange="",
        routing_key="",
        redelivered=False,
        tag=tag,
        channel=cast("Channel", channel),
    )


async def test_between_messages_that_take_long_others_have_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    channel, order = Acknowledged(), list[str]()
    arrived: asyncio.Queue[Delivery | None] = asyncio.Queue()
    for tag in range(5):
        arrived.put_nowait(delivery(tag, channel))

    def take(self: Any, one: Delivery) -> None:
        until = time.thread_time() + 2 * TURN
        while time.thread_time() < until:
            pass
        order.append("message")

    monkeypatch.setattr(OutputReader, "_take", take)

    async def other() -> None:
        while True:
            order.append("other")
            await asyncio.sleep(TURN / 4)

    beside = asyncio.create_task(other())
    reading = asyncio.create_task(reader()._take_all(arrived))
    await eventually(lambda: channel.tags == [4])
    reading.cancel()
    beside.cancel()
    places = [number for number, one in enumerate(order) if one == "message"]
    assert len(places) == 5
    between = [later - earlier - 1 for earlier, later in pairwise(places)]
    assert all(turns >= 1 for turns in between)
