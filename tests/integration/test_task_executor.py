"""What an agent makes of messages that were pushed to it, on a real broker."""

from __future__ import annotations

import asyncio
from pathlib import Path

from consumers import Task
from consumers._working.attempt import Attempt
from consumers._working.event_publisher import EventPublisher
from consumers._working.task_executor import TaskExecutor
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Publisher
from coordinator.protocol.messages.event_codec.event_reading import read
from coordinator.protocol.messages.events import Event
from coordinator.protocol.topology import EVENTS, TASKS, BindingSpec, QueueSpec, Topology
from tests.support.broker import Broker
from tests.support.field import Field, any_lane
from tests.support.waiting import eventually

NORMAL = any_lane("normal")


async def test_a_second_copy_of_what_waits_for_a_slot_is_not_run_beside_the_first(
    broker: Broker, tmp_path: Path
) -> None:
    """A submission that was answered "unknown", and was sent again, may be on its queue twice."""
    async with (
        Field(broker.url, tmp_path) as field,
        Connection(broker.url, name="agent") as connection,
        Publisher(connection) as publisher,
    ):
        await field.open(NORMAL)
        agent = field.agent("worker", slots=1)
        runs: list[str] = []
        released = asyncio.Event()

        @agent.default
        async def work(task: Task) -> None:
            runs.append(task.id)
            await released.wait()

        await publisher.ready()
        first, second = (field.message(NORMAL) for _ in range(2))
        for message in (first, second, second):
            await publisher.publish(message.to_message(), exchange=TASKS, key=NORMAL.key)
        event_publisher: EventPublisher[Attempt] = EventPublisher(publisher)
        executor = TaskExecutor(
            agent.options, agent.handlers, instance="one", event_publisher=event_publisher
        )
        arrived: list[Delivery] = []

        def take_in(delivery: Delivery) -> None:
            arrived.append(delivery)
            executor.take_in(delivery, NORMAL)

        channel = await (await connection.opened()).channel(prefetch=10)
        await channel.consume(NORMAL.queue, take_in, tag="pushed")
        await eventually(lambda: len(arrived) == 3)
        assert len(executor.backlog) == 1
        assert [one.task_id for one in executor.running.described()] == [first.task_id]
        assert [one.task_id for one in executor.described()[1]] == [second.task_id]

        released.set()
        await eventually(lambda: executor.nothing_runs)
        assert executor.running.described() == []
        assert {one.task_id for one in executor.described()[1]} == {
            first.task_id,
            second.task_id,
        }, "their outcomes are not confirmed yet"
        executor.close()
    assert runs == [first.task_id, second.task_id]


async def test_start_and_end_of_a_handler_that_waits_for_nothing_are_one_message(
    broker: Broker, tmp_path: Path
) -> None:
    async with (
        Field(broker.url, tmp_path) as field,
        Connection(broker.url, name="agent") as connection,
        Publisher(connection) as publisher,
    ):
        await field.open(NORMAL)
        agent = field.agent("worker", slots=1)

        @agent.default
        async def work(task: Task) -> str:
            return "done"

        told: list[Delivery] = []
        channel = await (await connection.opened()).channel(prefetch=10)
        hearing = Topology(
            queues=(QueueSpec(name="hearing", exclusive=True),),
            bindings=(BindingSpec(exchange=EVENTS, target="hearing", key="task.#"),),
        )
        await channel.declare(hearing)
        await channel.consume("hearing", told.append, tag="hearing", no_ack=True)
        event_publisher: EventPublisher[Attempt] = EventPublisher(publisher)
        executor = TaskExecutor(
            agent.options, agent.handlers, instance="one", event_publisher=event_publisher
        )
        publishing = asyncio.create_task(event_publisher.run())
        await channel.consume(NORMAL.queue, lambda one: executor.take_in(one, NORMAL), tag="pushed")
        await publisher.ready()
        message = field.message(NORMAL).to_message()
        await publisher.publish(message, exchange=TASKS, key=NORMAL.key)

        await eventually(lambda: executor.completed == 1 and executor.idle)
        await eventually(lambda: told)
        (one,) = told
        events = read(one.message, one.routing_key)
        assert [event.type for event in events if isinstance(event, Event)] == [
            "task.started",
            "task.completed",
        ]
        executor.close()
        publishing.cancel()
