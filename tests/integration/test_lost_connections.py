"""What is under way on a connection when it is lost."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import pytest

from coordinator.broker.connection import Connection
from coordinator.broker.publisher import OVERDUE_LIMIT, Publisher
from coordinator.errors import ChannelLost, ConnectionLost, OutcomeUnknown
from coordinator.protocol.message import Message
from coordinator.protocol.topology import TASKS, TOPOLOGY, UNROUTED
from tests.chaos.proxy import Proxy
from tests.support.broker import Broker
from tests.support.waiting import eventually

LARGE = Message(body=bytes(30_000_000))
"""More than the sockets on the way hold."""

FRAMES = 40
"""More than the driver's buffer holds."""


@pytest.mark.any_broker
async def test_what_waits_to_be_written_ends_with_its_connection_and_the_next_one_is_free(
    broker: Broker,
) -> None:
    address = urlsplit(broker.url)
    login = address.netloc.rpartition("@")[0]
    async with Proxy(lambda: [address.port or 0], rng=random.Random(1)) as proxy:
        url = urlunsplit(address._replace(netloc=f"{login}@127.0.0.1:{proxy.port}"))
        async with (
            Connection(url, name="full") as connection,
            Publisher(connection, timeout=timedelta(seconds=1)) as publisher,
        ):
            await publisher.ready()
            channel = await (await connection.opened()).channel()
            await channel.declare(TOPOLOGY)

            proxy.connections[0].stall()
            await channel.publish(LARGE, exchange=TASKS, key="any.low")
            # The driver waits until this one is on its way, and takes nothing more from its buffer.
            stuck = asyncio.create_task(channel._raw.basic_ack(1, wait=True))
            small = Message(body=b"{}")
            told = await asyncio.gather(
                *(publisher.publish(small, exchange=TASKS, key="any.low") for _ in range(FRAMES)),
                return_exceptions=True,
            )
            assert {type(one) for one in told} == {OutcomeUnknown}
            assert len(told) > OVERDUE_LIMIT
            assert not publisher.available
            for tag in range(FRAMES):
                await channel.ack(tag)  # waits for nobody
            gets = [asyncio.create_task(channel.get(UNROUTED)) for _ in range(FRAMES)]

            proxy.connections[0].cut()
            ended, waiting = await asyncio.wait([*gets, stuck], timeout=60)
            assert not waiting
            stuck.exception()
            assert all(
                isinstance(one.exception(), ChannelLost | ConnectionLost) for one in ended - {stuck}
            )
            with pytest.raises((ChannelLost, ConnectionLost)):
                await channel.ack(1)
            await eventually(lambda: publisher.available, timeout=60)
            await publisher.publish(small, exchange=TASKS, key="any.low")
