"""What an agent publishes of its runs' output: in how many messages, and how much of it waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from consumers._working.attempt import Attempt
from consumers._working.output_publisher import (
    ENDED_RUNS,
    HELD_BYTES,
    MESSAGE_BYTES,
    OutputPublisher,
)
from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.messages.task_output import RunOutput, read_output
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import TOPOLOGY, output_topology
from tests.support.broker import Broker
from tests.support.waiting import eventually


class InHand:
    """An attempt, whose message was in hand three times before."""

    def __init__(self, task_id: str) -> None:
        self.message = TaskMessage(
            task_id=task_id,
            task_data={},
            priority=Priority.LOW,
            submitted_at=datetime.now(UTC),
            task_token="token",
        )
        self.crashes = None
        self.deliveries = [SimpleNamespace(delivery_count=3)]
        self.silenced = False


def in_hand(task_id: str) -> Attempt:
    return cast("Attempt", InHand(task_id))


@dataclass
class Heard:
    messages: list[list[RunOutput]] = field(default_factory=list)

    def take(self, delivery: Delivery) -> None:
        self.messages.append(read_output(delivery.message, delivery.routing_key).output)

    def of(self, task_id: str) -> list[RunOutput]:
        return [piece for pieces in self.messages for piece in pieces if piece.task_id == task_id]

    def chunks(self, task_id: str) -> list[Any]:
        return [chunk for piece in self.of(task_id) for chunk in piece.chunks]

    def ended(self, task_id: str) -> bool:
        return any(piece.ended for piece in self.of(task_id))


@asynccontextmanager
async def publishing(
    broker: Broker, *, slots: int = 2
) -> AsyncIterator[tuple[OutputPublisher, Heard]]:
    heard = Heard()
    async with Connection(broker.url, name=f"{broker.name} output") as connection:
        channel = await (await connection.opened_or_refused()).channel()
        await channel.declare(TOPOLOGY)
        topology = output_topology("test")
        await channel.declare(topology)
        await channel.consume(topology.queues[0].name, heard.take, tag="heard", no_ack=True)
        output = OutputPublisher(connection, agent_id="ada", slots=slots)
        working = asyncio.create_task(output.run())
        yield output, heard
        await cancel_and_wait(working)


async def test_what_is_emitted_in_one_turn_of_the_loop_is_one_message(broker: Broker) -> None:
    async with publishing(broker) as (output, heard):
        one, other = in_hand("one"), in_hand("other")
        for number in range(3):
            output.emit(one, b"%d" % number)
            output.emit(other, b"%d" % (10 + number))
        output.end(one)
        await eventually(lambda: len(heard.of("other")) == 1)
        [pieces] = heard.messages
        assert [(piece.task_id, piece.first, piece.chunks) for piece in pieces] == [
            ("one", 1, [0, 1, 2]),
            ("other", 1, [10, 11, 12]),
        ]
        assert [piece.ended for piece in pieces] == [True, False]
        assert [piece.returned for piece in pieces] == [3, 3]
        output.emit(one, b"99")  # its run is over
        output.emit(other, b"13")
        await eventually(lambda: len(heard.messages) == 2)
        assert heard.of("one") == [pieces[0]]
        assert heard.of("other")[1].first == 4
        assert heard.of("other")[1].run == pieces[1].run != pieces[0].run


async def test_a_run_that_has_emitted_nothing_tells_nothing(broker: Broker) -> None:
    async with publishing(broker) as (output, heard):
        output.end(in_hand("silent"))
        output.emit(in_hand("one"), b"1")
        await eventually(lambda: heard.messages)
        assert heard.of("silent") == []


async def test_large_chunks_are_told_in_messages_of_a_bounded_size_and_each_run_in_its_turn(
    broker: Broker,
) -> None:
    async with publishing(broker) as (output, heard):
        one, other = in_hand("one"), in_hand("other")
        for _ in range(10):
            output.emit(one, b'"%b"' % (b"x" * 30_000))
        output.emit(other, b"1")
        output.end(one)
        await eventually(lambda: heard.ended("one"))
        assert len(heard.chunks("one")) == 10
        assert all(
            sum(len(chunk) for chunk in piece.chunks) <= MESSAGE_BYTES for piece in heard.of("one")
        )
        [place] = [number for number, pieces in enumerate(heard.messages) if len(pieces) == 2]
        assert place < 2


async def test_what_waits_is_bounded_over_runs_that_end_while_the_broker_is_away() -> None:
    output = OutputPublisher(Connection("amqp://127.0.0.1:1", name="away"), agent_id="ada", slots=1)
    for number in range(5):
        attempt = in_hand(f"t{number}")
        for _ in range(100):
            output.emit(attempt, b"x" * 50_000)
        output.end(attempt)
    assert sum(run.buffer.size for run in output._runs.values()) <= HELD_BYTES
    assert all(run.buffer.ended for run in output._runs.values())


async def test_runs_that_have_ended_are_let_go_while_the_broker_takes_nothing() -> None:
    """As where the user of an agent lacks the right, for as long as the agent runs."""
    output = OutputPublisher(Connection("amqp://127.0.0.1:1", name="away"), agent_id="ada", slots=1)
    for number in range(ENDED_RUNS + 50):
        attempt = in_hand(f"t{number}")
        output.emit(attempt, b"1")
        output.end(attempt)
    await asyncio.sleep(0)
    assert len(output._runs) == len(output._ended) == len(output._ready) == ENDED_RUNS
    assert output.dropped == 50


async def test_a_message_of_many_tiny_chunks_is_one_that_is_read(broker: Broker) -> None:
    async with publishing(broker, slots=1) as (output, heard):
        one = in_hand("one")
        for number in range(20_000):
            output.emit(one, b"%d" % (number % 10))
        output.end(one)
        await eventually(lambda: heard.ended("one"))
        assert heard.chunks("one") == [number % 10 for number in range(20_000)]
        assert all(sum(len(piece.chunks) for piece in one) < 5000 for one in heard.messages)
        assert (output.published, output.dropped) == (20_000, 0)
