"""Queued tasks of a broker that was given up are put on the new one, each once."""

from __future__ import annotations

import asyncio
import contextlib
from typing import cast

import pytest

from coordinator.broker.connection import Link
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.transitions.effects import Rules
from coordinator.errors import LedgerBehind, MessageTooLarge, PublishRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import EVENTS, RECONCILING, Topology, lock_queue
from coordinator.recovery.broker_migration import BrokerMigration
from coordinator.recovery.oversized_tasks import OversizedTasks
from coordinator.recovery.task_republisher import TaskRepublisher
from coordinator.registry.ledger.batch_folding import store
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.tables.task_rows import load
from coordinator.registry.upkeep.former_broker_tasks import FormerBrokerTasks
from coordinator.registry.upkeep.missing_tasks import MissingTasks
from tests.support.decoding import decode
from tests.support.waiting import eventually
from tests.unit.domain.histories import START, at, completed, failed, started, submitted

SECRET = b"s" * 32
LIMIT = 4096
"""Bytes that the new broker takes in one message."""


class World:
    """A ledger, and a new broker whose log is folded when the ledger catches up."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.left = FormerBrokerTasks(ledger)
        self.in_hand: dict[tuple[str, int], int] = {}
        self.published: list[TaskMessage] = []
        self.log: list[Event] = []
        self.refused: set[str] = set()
        self.behind = 0
        self.open = True
        self.former_broker = BrokerMigration(
            left=self.left,
            puts=TaskRepublisher(
                messages=MissingTasks(ledger).messages,
                ensure=self.ensure,
                puts=OversizedTasks(publisher=self, note=lambda _: None),
                secret=SECRET,
                types=AnnouncedTypes(),
            ),
            catch_up=self.catch_up,
            in_hand=lambda: self.in_hand,
            pause=0.01,
        )

    async def catch_up(self) -> None:
        if self.behind:
            self.behind -= 1
            raise LedgerBehind
        await self.fold()

    async def ensure(self, source: TaskQueue, requirements: Requirements, *, again: bool) -> None:
        assert again

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        if exchange == EVENTS:
            self.log += decode(message, key)
            return
        task = TaskMessage.from_message(message)
        if task.task_id in self.refused:
            self.refused.discard(task.task_id)
            raise PublishRefused
        if len(message.body) > LIMIT:
            raise MessageTooLarge(len(message.body), LIMIT)
        self.published.append(task)
        self.log += decode(message, key)

    async def closed(self) -> None:
        await asyncio.Event().wait()

    async def channel(self) -> World:
        return self

    async def close(self) -> None:
        pass

    async def declare(self, topology: Topology) -> None:
        assert topology.queues == (lock_queue(RECONCILING),)

    async def delete_queue(self, queue: str) -> None:
        assert queue == lock_queue(RECONCILING).name

    async def fold(self, *events: Event) -> None:
        waiting, self.log = [*events, *self.log], []
        await self.ledger.write(lambda connection: store(connection, waiting, Rules(now=START)))

    async def session(self) -> None:
        """Until nothing is left."""
        session = asyncio.create_task(self.former_broker.session(cast("Link", self)))
        try:
            await eventually(self.is_done)
        finally:
            session.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await session

    async def is_done(self) -> bool:
        return not await self.left.any_broker()

    def again(self) -> list[str]:
        return [one.task_id for one in self.published]


@pytest.fixture
def world(ledger: Ledger) -> World:
    return World(ledger)


async def three(world: World) -> None:
    await world.fold(*(submitted(f"t{n}", submitted_at=at(n)) for n in range(3)))


async def test_each_queued_task_is_published_once_as_the_same_attempt(world: World) -> None:
    await three(world)
    await world.left.give_up_broker()
    await world.session()
    assert world.again() == ["t0", "t1", "t2"]
    (first, *_) = world.published
    assert (first.generation, first.attempt, first.republished) == (1, 1, 1)
    assert first.message_id == "t0.1.1.again-1"
    assert first.task_token == task_token(SECRET, "t0", 1, 1)
    await world.session()
    assert world.again() == ["t0", "t1", "t2"]


async def test_a_follow_up_task_stays_its_parents_and_bound_to_it(world: World) -> None:
    await world.fold(submitted("t", parent_id="parent", cancel_with_parent=3))
    await world.left.give_up_broker()
    await world.session()
    (again,) = world.published
    assert (again.parent_id, again.cancel_with_parent) == ("parent", 3)


async def test_what_the_new_broker_does_not_take_is_dead_and_holds_up_no_other(
    world: World,
) -> None:
    await three(world)
    await world.fold(submitted("large", submitted_at=at(0.5), task_data={"text": "x" * LIMIT}))
    await world.left.give_up_broker()
    await world.session()
    assert world.again() == ["t0", "t1", "t2"]
    (task,) = await world.ledger.read(lambda connection: load(connection, ["large"]).values())
    assert task.state == "dead"
    assert (task.error or {})["type"] == "MessageTooLarge"


async def test_nothing_is_published_where_no_broker_was_given_up(world: World) -> None:
    await three(world)
    await world.session()
    assert world.again() == []


async def test_only_what_is_queued_was_on_a_queue_alone(world: World) -> None:
    """What runs is decided by its agent's heartbeats; a retry is in the outbox; an end is an end."""
    await three(world)
    await world.fold(submitted("t3", submitted_at=at(3)))
    await world.fold(
        started(task_id="t0"),
        started(task_id="t1"),
        completed(task_id="t1"),
        started(task_id="t2"),
        failed(task_id="t2"),
    )
    await world.left.give_up_broker()
    await world.session()
    assert world.again() == ["t3"]


async def test_what_is_submitted_to_the_new_broker_is_not_published_again(world: World) -> None:
    await world.fold(submitted("old", submitted_at=at(0)))
    await world.left.give_up_broker()
    await world.fold(submitted("new", submitted_at=at(1)))
    await world.session()
    assert world.again() == ["old"]


async def test_killed_halfway_the_next_coordinator_goes_on_with_the_others(world: World) -> None:
    await three(world)
    await world.left.give_up_broker()
    found = await world.left.after(None)
    await world.former_broker._puts.put(found[:2])  # killed now, before anything was folded
    await world.session()
    assert world.again() == ["t0", "t1", "t2"]


async def test_a_refusal_and_a_ledger_that_is_behind_are_waited_for(world: World) -> None:
    await three(world)
    await world.left.give_up_broker()
    world.refused, world.behind = {"t1"}, 2
    await world.session()
    assert sorted(world.again()) == ["t0", "t1", "t2"]


async def test_what_an_agent_says_it_has_is_left_to_it_until_it_says_so_no_more(
    world: World,
) -> None:
    await three(world)
    await world.left.give_up_broker()
    world.in_hand = {("t1", 1): 1, ("t2", 2): 1}
    session = asyncio.create_task(world.session())
    await eventually(lambda: len(world.published) == 2)
    assert not session.done()
    assert world.again() == ["t0", "t2"]
    world.in_hand = {}
    await session
    assert world.again() == ["t0", "t2", "t1"]


async def test_more_than_are_read_at_a_time_keep_their_order(world: World) -> None:
    names = [f"t{n:03}" for n in range(450)]
    await world.fold(*(submitted(name, submitted_at=at(n // 7)) for n, name in enumerate(names)))
    await world.left.give_up_broker()
    await world.session()
    assert world.again() == names
