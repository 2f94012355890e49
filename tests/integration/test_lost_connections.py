"""What is under way on a connection when it is lost."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from consumers import Agent, Task
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import OVERDUE_LIMIT, Publisher
from coordinator.errors import ChannelLost, ConnectionLost, OutcomeUnknown
from coordinator.protocol.message import Message
from coordinator.protocol.topology import TASKS, TOPOLOGY, UNROUTED
from tests.chaos.proxy import Proxy
from tests.support.broker import Broker
from tests.support.serving import serving
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


async def test_what_an_agent_has_in_hand_whose_connection_falls_silent_is_done_once_by_another(
    broker: Broker, tmp_path: Path
) -> None:
    """Nothing says the end of the connection. RabbitMQ 4.3 waits a minute for a node that is cut off
    (`consumer_disconnected_timeout`), and two heartbeats for a connection, like those before it.
    """
    address = urlsplit(broker.url)
    login = address.netloc.rpartition("@")[0]
    may_end = asyncio.Event()

    def agent(agent_id: str, url: str) -> Agent:
        agent = Agent(agent_id, amqp_url=url, cache_dir=tmp_path / agent_id)

        @agent.default
        async def work(task: Task) -> str:
            if agent_id == "ada":
                await may_end.wait()
            return agent_id

        return agent

    async with (
        Proxy(lambda: [address.port or 0], rng=random.Random(1)) as proxy,
        serving(broker, tmp_path) as service,
    ):
        through = address._replace(netloc=f"{login}@127.0.0.1:{proxy.port}", query="heartbeat=2")
        async with agent("ada", urlunsplit(through)).running():
            task_id = await service.submit()
            assert (await service.becomes(task_id, "running"))["agent_id"] == "ada"
            for connection in proxy.connections:
                connection.stall()
            async with agent("bob", broker.url).running():
                ended = await service.ends(task_id)
            may_end.set()
        assert (ended["state"], ended["result"], ended["attempt"]) == ("completed", "bob", 1)
        events = (await service.http.get(f"/tasks/{task_id}/events")).json()["events"]
        told = [(one["type"], one["agent_id"]) for one in events]
        assert told.count(("task.completed", "bob")) == 1
        assert told.count(("task.started", "ada")) == told.count(("task.started", "bob")) == 1
