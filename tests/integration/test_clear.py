"""Clearing a priority: exact in number, each id recorded, nothing else touched."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from coordinator.broker.channel import Delivery
from coordinator.errors import BrokerUnavailable, MalformedMessage, PublishRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import TaskCancelled, TaskSubmitted
from coordinator.protocol.name_encoding import BROKER_AUTHOR
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import LOG
from coordinator.submission.queue_clearer import CLEARED, QueueClearer
from tests.support.broker import Broker
from tests.support.decoding import decode
from tests.support.submission import SubmittingSide, submitting_side
from tests.support.waiting import eventually

LOW = TaskQueue("any", Priority.LOW)
GPU = Requirements(capabilities=("gpu",))


@pytest.fixture
async def side(broker: Broker) -> AsyncIterator[SubmittingSide]:
    async with submitting_side(broker.url, name=broker.name) as side:
        await side.restore()
        yield side


async def test_every_task_of_the_priority_is_ended_once_and_no_other(side: SubmittingSide) -> None:
    low = await asyncio.gather(
        *(
            side.submit(priority=Priority.LOW, requirements=GPU if n % 2 else Requirements())
            for n in range(1200)
        )
    )
    await side.submit(priority=Priority.NORMAL)

    assert await side.clearer.clear(Priority.LOW) == 1200

    assert await side.waiting(LOW) == 0
    assert await side.waiting(TaskQueue("cap:gpu", Priority.LOW)) == 0
    assert await side.waiting(TaskQueue("any", Priority.NORMAL)) == 1
    log = await side.take_log()
    ended = [event.data for event in log if isinstance(event.data, TaskCancelled)]
    assert sorted(data.task_id for data in ended) == sorted(low)
    assert {(data.reason, data.generation, data.attempt) for data in ended} == {(CLEARED, 1, 1)}
    assert sum(isinstance(event.data, TaskSubmitted) for event in log) == 1201
    noted = [event.data for event in side.noted]
    assert noted == ended


async def test_an_empty_priority_has_nothing_to_clear(side: SubmittingSide) -> None:
    await side.submit(priority=Priority.HIGH)
    assert await side.clearer.clear(Priority.LOW) == 0
    assert side.noted == []


async def test_two_who_clear_at_once_count_each_task_once(side: SubmittingSide) -> None:
    await asyncio.gather(*(side.submit(priority=Priority.LOW) for _ in range(300)))
    counts = await asyncio.gather(*(side.clearer.clear(Priority.LOW) for _ in range(2)))
    assert sum(counts) == 300
    assert len({event.data.subject for event in side.noted}) == len(side.noted) == 300


async def test_what_is_no_task_is_not_counted_and_reaches_the_log(
    side: SubmittingSide, broker: Broker
) -> None:
    await side.submit(priority=Priority.LOW)
    await side.publisher.publish(Message(body=b"hello"), exchange="", key=LOW.queue)
    await side.submit(priority=Priority.LOW)
    await side.publisher.publish(Message(body=b"bye"), exchange="", key=LOW.queue)

    assert await side.clearer.clear(Priority.LOW) == 2

    assert await side.waiting(LOW) == 0

    async def dead_lettered() -> bool:
        return await broker.depth(LOG) == 6

    await eventually(dead_lettered)  # a source, two tasks, a batch of two ends, and the two
    strange = [
        (key, message)
        for key, message in await side.take_all(LOG)
        if key.startswith(f"task.{BROKER_AUTHOR}.")
    ]
    assert {message.body for _, message in strange} == {b"hello", b"bye"}
    for key, message in strange:
        with pytest.raises(MalformedMessage):
            decode(message, key)


async def test_a_task_in_an_agents_hands_goes_on(side: SubmittingSide) -> None:
    await side.submit(priority=Priority.LOW)
    await side.submit(priority=Priority.LOW)
    link = await side.reading.opened()
    agent = await link.channel()
    held = await agent.get(LOW.queue)
    assert isinstance(held, Delivery)

    assert await side.clearer.clear(Priority.LOW) == 1

    [event] = side.noted
    assert event.data.subject != held.message.correlation_id
    await held.ack()


async def test_where_the_record_fails_the_tasks_are_back_on_their_queue(
    side: SubmittingSide,
) -> None:
    class Refusing:
        async def publish(
            self, message: Message, *, exchange: str, key: str, mandatory: bool = False
        ) -> None:
            raise PublishRefused

    await asyncio.gather(*(side.submit(priority=Priority.LOW) for _ in range(20)))
    clearer = QueueClearer(
        connection=side.reading, publisher=Refusing(), book=side.book, note=side.noted.append
    )
    with pytest.raises(BrokerUnavailable):
        await clearer.clear(Priority.LOW)

    async def all_back() -> bool:
        return await side.waiting(LOW) == 20

    await eventually(all_back)
    assert side.noted == []
    assert await side.clearer.clear(Priority.LOW) == 20
