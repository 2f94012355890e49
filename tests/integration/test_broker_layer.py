"""The AMQP layer against a real broker: what it promises, and how it fails."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiormq.abc import ChannelFrame

from coordinator.broker.batch_reader import BatchReader
from coordinator.broker.channel import Channel, Delivery, Depth
from coordinator.broker.connection import Connection, Link
from coordinator.broker.frames.frame_encoding import publish_frames
from coordinator.broker.publisher import Publisher
from coordinator.broker.queue_depths import QueueDepths
from coordinator.broker.queue_drain import drain
from coordinator.errors import (
    BrokerRefused,
    BrokerUnavailable,
    OutcomeUnknown,
    PublishRefused,
    QueueMissing,
    TopologyConflict,
)
from coordinator.protocol.message import Message
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import (
    LOG,
    TASKS,
    TOPOLOGY,
    UNROUTED,
    QueueSpec,
    Topology,
    task_queue_topology,
)
from tests.support.broker import Broker, OwnBroker
from tests.support.waiting import eventually

LOW = TaskQueue("any", Priority.LOW)


@pytest.fixture
async def connection(broker: Broker) -> AsyncIterator[Connection]:
    async with Connection(broker.url, name="test") as connection:
        yield connection


@pytest.fixture
async def link(connection: Connection) -> Link:
    link = await connection.opened_or_refused()
    channel = await link.channel()
    await channel.declare(TOPOLOGY)
    await channel.declare(task_queue_topology(LOW))
    await channel.close()
    return link


@pytest.fixture
async def publisher(connection: Connection, link: Link) -> AsyncIterator[Publisher]:
    async with Publisher(connection) as publisher:
        await publisher.ready()
        yield publisher


async def fill(publisher: Publisher, count: int, *, key: str = LOW.key) -> None:
    await asyncio.gather(
        *(
            publisher.publish(Message(body=b"%d" % n, message_id=str(n)), exchange=TASKS, key=key)
            for n in range(count)
        )
    )


async def test_one_publish_lands_on_the_work_queue_and_in_the_log(
    link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 1)
    channel = await link.channel()
    assert await channel.depth(LOW.queue) == Depth(ready=1, consumers=0)
    assert await channel.depth(LOG) == Depth(ready=1, consumers=0)


async def test_a_task_whose_queue_is_missing_lands_in_unrouted_and_in_the_log(
    link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 1, key="type:nobody.low")
    channel = await link.channel()
    assert (await channel.depth(UNROUTED)).ready == 1
    assert (await channel.depth(LOG)).ready == 1


async def test_declaring_twice_changes_nothing(link: Link) -> None:
    channel = await link.channel()
    await channel.declare(TOPOLOGY)
    await channel.declare(task_queue_topology(LOW))


async def test_a_queue_that_exists_otherwise_is_an_operators_matter(link: Link) -> None:
    channel = await link.channel()
    with pytest.raises(TopologyConflict, match=LOW.queue):
        await channel.declare(
            Topology(queues=(QueueSpec(name=LOW.queue, arguments={"x-queue-type": "classic"}),))
        )
    assert not channel.open


async def test_a_missing_queue_costs_the_channel_and_says_so(link: Link) -> None:
    for ask in ("depth", "get"):
        channel = await link.channel()
        with pytest.raises(QueueMissing, match="nowhere"):
            await getattr(channel, ask)("nowhere")
        assert not channel.open
        with pytest.raises(BrokerUnavailable):
            await channel.depth(LOW.queue)


async def test_a_look_survives_a_missing_queue(connection: Connection, link: Link) -> None:
    depths = QueueDepths(lambda: connection.link)
    found = await depths.look([LOW.queue, "nowhere", LOG])
    assert found == {LOW.queue: Depth(0, 0), "nowhere": None, LOG: Depth(0, 0)}


async def test_what_nobody_takes_is_refused_where_it_must_be_taken(publisher: Publisher) -> None:
    with pytest.raises(PublishRefused):
        await publisher.publish(Message(body=b"{}"), exchange="", key="nowhere", mandatory=True)
    await publisher.publish(Message(body=b"{}"), exchange="", key="nowhere")


async def test_a_batch_is_settled_as_a_whole_and_what_was_not_comes_again(
    link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 250)
    seen: list[bytes] = []
    async with BatchReader(link, queue=LOG, name="reader", batch=100) as batches:
        async for batch in batches:
            seen += [delivery.message.body for delivery in batch]
            if len(seen) > 150:
                break
            await batches.settle(batch)
        settled = len(seen) - len(batch)
    async with BatchReader(link, queue=LOG, name="reader") as batches:
        again: list[bytes] = []
        async for batch in batches:
            again += [delivery.message.body for delivery in batch]
            if len(again) == 250 - settled:
                break
    assert again == [b"%d" % n for n in range(settled, 250)]


async def test_only_one_of_two_readers_is_active_and_the_other_takes_over(
    broker: Broker, link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 10)
    taken: list[str] = []
    reading: set[str] = set()

    async def read(name: str, connection: Connection) -> None:
        link = await connection.opened()
        async with BatchReader(link, queue=LOG, name=name, batch=1) as batches:
            reading.add(name)
            async for batch in batches:
                taken.append(name)
                await batches.settle(batch)

    async with Connection(broker.url, name="one") as one, Connection(broker.url, name="two") as two:
        first = asyncio.create_task(read("one", one))
        await eventually(lambda: len(taken) == 10)
        second = asyncio.create_task(read("two", two))
        await eventually(lambda: "two" in reading)
        await fill(publisher, 10)
        await eventually(lambda: len(taken) == 20)
        assert set(taken) == {"one"}
        first.cancel()
        await asyncio.wait([first])
        await fill(publisher, 10)
        await eventually(lambda: len(taken) == 30)
        assert set(taken[20:]) == {"two"}
        second.cancel()
        await asyncio.wait([second])


async def test_what_comes_for_somebody_who_went_away_is_back_on_its_queue(
    link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 1)
    channel = await link.channel()
    asked = asyncio.create_task(channel.get(LOW.queue))
    await asyncio.sleep(0)  # it has asked, and the answer cannot be there yet
    asked.cancel()

    assert await channel.get(LOW.queue) is None
    other = await link.channel()
    assert await _got(other) == b"0"
    assert channel.open


async def test_acknowledged_and_closed_in_one_breath_is_acknowledged(
    link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 1)
    channel = await link.channel()
    delivery = await channel.get(LOW.queue)
    assert delivery is not None

    await delivery.ack()
    await channel.close()

    other = await link.channel()
    assert await other.get(LOW.queue) is None


async def test_many_channels_that_the_broker_closes_at_once_cost_no_more_than_themselves(
    link: Link,
) -> None:
    """Their numbers are given to others as soon as they are closed."""

    async def look_for_what_is_missing() -> None:
        for _ in range(10):
            channel = await link.channel()
            with pytest.raises(QueueMissing):
                await channel.depth("missing")

    await asyncio.gather(*(look_for_what_is_missing() for _ in range(40)))
    assert link.open


async def test_a_year_that_no_calendar_has_does_not_end_the_connection_of_whoever_is_given_it(
    link: Link, publisher: Publisher
) -> None:
    channel = await link.channel()
    whole = publish_frames(
        channel._raw.number,
        131072,
        Message(body=b"0", timestamp=datetime.fromtimestamp(0x01020304, UTC)),
        (TASKS, LOW.key, False),
    )
    assert whole.count(struct.pack(">Q", 0x01020304)) == 1
    payload = whole.replace(struct.pack(">Q", 0x01020304), b"\xff" * 8)
    await channel._raw.write_queue.put(
        ChannelFrame(payload=payload, should_close=False, drain_future=None)
    )

    assert await _got(channel) == b"0"
    assert link.open


async def _got(channel: Channel) -> bytes:
    """The body of the one message, once it is there."""
    found: list[Delivery] = []

    async def there() -> bool:
        delivery = await channel.get(LOW.queue)
        if delivery is not None:
            found.append(delivery)
        return bool(found)

    await eventually(there)
    return found[0].message.body


async def test_draining_takes_exactly_what_was_there(link: Link, publisher: Publisher) -> None:
    await fill(publisher, 1200)
    recorded: list[bytes] = []

    async def record(batch: list[Delivery]) -> list[Delivery]:
        recorded.extend(delivery.message.body for delivery in batch)
        return []

    assert await drain(link, LOW.queue, record) == 1200
    assert recorded == [b"%d" % n for n in range(1200)]
    channel = await link.channel()
    assert (await channel.depth(LOW.queue)).ready == 0


async def test_what_could_not_be_recorded_is_back_on_the_queue(
    link: Link, publisher: Publisher
) -> None:
    await fill(publisher, 20)

    async def record(batch: list[Delivery]) -> list[Delivery]:
        raise OutcomeUnknown

    with pytest.raises(OutcomeUnknown):
        await drain(link, LOW.queue, record)
    channel = await link.channel()

    async def all_back() -> bool:
        return (await channel.depth(LOW.queue)).ready == 20

    await eventually(all_back)


async def test_draining_a_queue_that_does_not_exist_takes_nothing(link: Link) -> None:
    async def record(batch: list[Delivery]) -> list[Delivery]:
        raise AssertionError

    assert await drain(link, "nowhere", record) == 0


async def test_wrong_credentials_and_missing_vhosts_are_refusals(broker: Broker) -> None:
    head, _, tail = broker.url.partition("://")
    _, _, address = tail.partition("@")
    for url in (f"{head}://nobody:nothing@{address}", f"{broker.url}-missing"):
        async with Connection(url, name="refused") as connection:
            with pytest.raises(BrokerRefused):
                await connection.opened_or_refused()


async def test_a_broker_that_is_away_is_told_apart_before_and_after_sending(
    own_broker: OwnBroker,
) -> None:
    async with (
        Connection(own_broker.url, name="away") as connection,
        Publisher(connection, timeout=timedelta(seconds=1)) as publisher,
    ):
        await publisher.ready()
        link = await connection.opened()
        channel = await link.channel()
        await channel.declare(TOPOLOGY)

        await own_broker.suspend()
        unknown = await asyncio.gather(
            *(
                publisher.publish(Message(body=b"{}"), exchange=TASKS, key="any.low")
                for _ in range(8)
            ),
            return_exceptions=True,
        )
        assert {type(outcome) for outcome in unknown} == {OutcomeUnknown}
        assert not publisher.available
        with pytest.raises(BrokerUnavailable, match="stopped answering"):
            await publisher.publish(Message(body=b"{}"), exchange=TASKS, key="any.low")
        await own_broker.resume()
        await eventually(lambda: publisher.available)
        await publisher.publish(Message(body=b"{}"), exchange=TASKS, key="any.low")

        await own_broker.stop()
        with pytest.raises(BrokerUnavailable, match="nothing was sent"):
            await publisher.publish(Message(body=b"{}"), exchange=TASKS, key="any.low")
        await own_broker.start()
        await eventually(lambda: publisher.available, timeout=60)
        await publisher.publish(Message(body=b"{}"), exchange=TASKS, key="any.low")
