"""Many passive declares in one breath, on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from coordinator.broker.channel import Channel, Depth
from coordinator.broker.connection import Connection
from coordinator.broker.queue_depths import depths
from coordinator.errors import BrokerUnavailable, QueueMissing
from coordinator.protocol.message import Message
from coordinator.protocol.topology import QueueSpec, Topology
from tests.support.broker import Broker

NAMES = [f"queue-{number}" for number in range(60)]


@pytest.fixture
async def channel(broker: Broker) -> AsyncIterator[Channel]:
    async with Connection(broker.url, name="test") as connection:
        link = await connection.opened_or_refused()
        channel = await link.channel(confirms=True)
        await channel.declare(
            Topology(queues=tuple(QueueSpec(name=name, exclusive=True) for name in NAMES))
        )
        yield channel


async def test_every_queue_is_answered_for_in_its_place(channel: Channel) -> None:
    for number in (3, 3, 40):
        await channel.publish(Message(body=b"x"), exchange="", key=NAMES[number])
    found = await depths(channel, NAMES)
    assert [depth.ready for depth in found] == [2 * (n == 3) + (n == 40) for n in range(60)]
    assert await channel.depth(NAMES[3]) == Depth(2, 0)  # nothing is left over on the channel


async def test_looks_at_the_same_time_do_not_mix(channel: Channel) -> None:
    await channel.publish(Message(body=b"x"), exchange="", key=NAMES[0])
    every = await asyncio.gather(*(depths(channel, NAMES[:n]) for n in range(1, 20)))
    assert [[depth.ready for depth in found] for found in every] == [
        [1] + [0] * (n - 1) for n in range(1, 20)
    ]


async def test_a_missing_queue_is_told_and_the_channel_is_lost(channel: Channel) -> None:
    with pytest.raises(QueueMissing, match="nowhere"):
        await depths(channel, [*NAMES[:5], "nowhere", *NAMES[5:]])
    assert not channel.open
    with pytest.raises(BrokerUnavailable):
        await depths(channel, NAMES)


async def test_no_queues_are_no_question(channel: Channel) -> None:
    assert await depths(channel, []) == []
