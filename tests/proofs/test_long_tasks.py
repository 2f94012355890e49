"""Tasks that are held for longer than the broker has patience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from consumers import Task
from coordinator.broker.channel import Delivery
from coordinator.broker.connection import Connection
from coordinator.broker.publisher import Outgoing, Publisher
from coordinator.broker.queue_drain import drain
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import TaskCompleted
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import TOPOLOGY, task_queue_topology
from tests.support.broker import Node, OwnBroker, own_node
from tests.support.field import Field, any_lane
from tests.support.management import ManagementApi
from tests.support.sources import BrokerSource
from tests.support.waiting import eventually

NORMAL = any_lane("normal")
LONG = TaskQueue(lane_name(Requirements(), long=True), Priority.NORMAL)

IMPATIENT = "[{rabbit, [{consumer_timeout, 2000}, {channel_tick_interval, 500}]}]."
"""Closes the channel of whoever holds a message for two seconds, as others do after half an hour."""


@asynccontextmanager
async def configured(source: BrokerSource, folder: Path, advanced: str) -> AsyncIterator[Node]:
    """A running node of the test's own with this `advanced.config`."""
    if not source.ours or source.image is not None:
        pytest.skip("this broker's configuration is not the tests' own")
    await asyncio.to_thread(_configure, folder, advanced)
    node = own_node(source, folder)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def _configure(folder: Path, advanced: str) -> None:
    folder.mkdir()
    (folder / "advanced.config").write_text(advanced)


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_task_that_outlasts_the_brokers_patience_is_done_once_and_reported(
    broker_source: BrokerSource, tmp_path: Path
) -> None:
    async with (
        configured(broker_source, tmp_path / "node", IMPATIENT) as node,
        Field(node.amqp_url, tmp_path / "cache") as field,
    ):
        await field.open(NORMAL)
        agent = field.agent("ada", slots=2)

        @agent.default
        async def work(task: Task) -> str:
            await asyncio.sleep(task.data["seconds"])
            return "done"

        async with agent.running():
            long = await field.submit(NORMAL, seconds=7)
            await eventually(lambda: field.started() == [long], timeout=60)
            short = [await field.submit(NORMAL, seconds=0.01) for _ in range(5)]
            await field.all_ended([long, *short], timeout=60)

            async def settled() -> bool:
                return await field.depth(NORMAL) == 0 and await field.consumers(NORMAL) <= 1

            await eventually(settled, timeout=60)
        assert await field.depth(NORMAL) == 0
        assert sorted(field.started()) == sorted([long, *short])
        assert len(field.heard(TaskCompleted)) == 6


class Disk:
    """Small messages through one queue while another message is held, and what stays on the disk.

    RabbitMQ writes what all quorum queues do into one file, of up to 64 MiB on a private node and
    512 MiB by default, and only when that is full into files of each queue, of which it deletes those
    that nobody needs any more. Here it is told to do so after each round instead, so that a few
    messages show what hundreds of thousands would.
    """

    ROUND = 5000

    def __init__(self, broker: OwnBroker, folder: Path) -> None:
        self._broker = broker
        self._folder = folder
        self.sizes: list[int] = []

    async def measure(self, held_on: TaskQueue, *, rounds: int) -> None:
        async with (
            Connection(self._broker.url, name="holder") as holding,
            Connection(self._broker.url, name="traffic") as connection,
            Publisher(connection) as publisher,
        ):
            channel = await (await holding.opened_or_refused()).channel()
            await channel.declare(TOPOLOGY)
            await channel.declare(task_queue_topology(NORMAL))
            await channel.declare(task_queue_topology(held_on))
            await publisher.ready()
            held = Message(body=b"held")
            await publisher.publish(held, exchange="", key=held_on.queue, mandatory=True)
            holder = await channel.get(held_on.queue)
            assert holder is not None
            for _ in range(rounds):
                await self._round(connection, publisher)
            await holder.ack()

    async def _round(self, connection: Connection, publisher: Publisher) -> None:
        traffic = Outgoing(Message(body=bytes(400)), "", NORMAL.queue, mandatory=True)
        assert set(await publisher.publish_all([traffic] * self.ROUND)) == {None}
        seen = 0

        async def done(batch: list[Delivery]) -> list[Delivery]:
            nonlocal seen
            seen += len(batch)
            return []

        await drain(await connection.opened(), NORMAL.queue, done)
        assert seen == self.ROUND
        await self._broker.ctl("eval", "ra_log_wal:force_roll_over(ra_log_wal).")
        before, now = -1, self._size()
        while now != before:  # until the files of the queues are written, and the old ones deleted
            await asyncio.sleep(2)
            before, now = now, self._size()
        self.sizes.append(now)

    def _size(self) -> int:
        found = 0
        for path in (self._folder / "mnesia").rglob("*"):
            with suppress(FileNotFoundError):
                found += path.stat().st_blocks * 512 if path.is_file() else 0
        return found


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("held_on", [LONG, NORMAL], ids=["on-the-long-queue", "on-the-same-queue"])
async def test_the_disk_stays_flat_while_tasks_pass_one_that_is_held(
    broker_source: BrokerSource, tmp_path: Path, held_on: TaskQueue
) -> None:
    """And it does not where the held one is on the same queue: why long tasks have queues of their own."""
    folder = tmp_path / "node"
    async with (
        configured(broker_source, folder, "[].") as node,
        ManagementApi(
            node.management_url, username=node.username, password=node.password
        ) as management,
    ):
        disk = Disk(OwnBroker(node, management, name="disk"), folder)
        await disk.measure(held_on, rounds=3)
    size = Disk.ROUND * 400
    if held_on == LONG:
        assert max(disk.sizes) < disk.sizes[0] + size, disk.sizes
    else:
        assert disk.sizes[-1] > disk.sizes[0] + size, disk.sizes


@pytest.mark.chaos
@pytest.mark.timeout(1800)
async def test_four_hundred_thousand_tasks_pass_one_that_is_held(
    broker_source: BrokerSource, tmp_path: Path
) -> None:
    folder = tmp_path / "node"
    async with (
        configured(broker_source, folder, "[].") as node,
        ManagementApi(
            node.management_url, username=node.username, password=node.password
        ) as management,
    ):
        disk = Disk(OwnBroker(node, management, name="disk"), folder)
        await disk.measure(LONG, rounds=400_000 // Disk.ROUND)
    print(f"{min(disk.sizes)} to {max(disk.sizes)} bytes")
    assert max(disk.sizes) < disk.sizes[0] + Disk.ROUND * 400, disk.sizes
