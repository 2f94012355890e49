"""When tasks in lanes without a type are looked for."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, cast

from coordinator.broker.connection import Link
from coordinator.broker.publisher import Outgoing
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.task_queues import TaskQueues
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.recovery.queues.lane_mover import LaneMover
from coordinator.recovery.queues.task_rerouter import Rerouted, TaskRerouter
from tests.support.waiting import eventually
from tests.unit.domain.histories import message
from tests.unit.recovery.queues.test_unrouted_tasks import unrouted


class World:
    """A ledger in which no task stands in a wrong lane, and a link that is open."""

    open = True

    def __init__(self) -> None:
        self.settled_at_look: list[bool] = []
        self.types = AnnouncedTypes()

    async def announced(self) -> set[str]:
        return set()

    async def sources(
        self, sources: Iterable[TaskQueue], task_types: Collection[str]
    ) -> list[TaskQueue]:
        del sources, task_types
        routed = self.types.routed(Requirements(), "sum")
        self.settled_at_look.append(routed.task_type == "sum")
        return []

    async def messages(self, task_ids: Collection[str]) -> Any:
        raise AssertionError

    async def publish_all(self, messages: Sequence[Outgoing]) -> Sequence[None]:
        raise AssertionError

    async def catch_up(self) -> None:
        return

    async def ensure(self, source: TaskQueue, requirements: Requirements, *, again: bool) -> None:
        raise AssertionError


async def test_after_a_type_is_settled_stragglers_are_looked_for_some_times() -> None:
    """A submission may have chosen its lane before, and be published after that."""
    world = World()
    book = TaskQueues()
    book.add(TaskQueue("any", Priority.NORMAL), Requirements())
    mover = LaneMover(
        book=book,
        types=world.types,
        waiting=cast("Any", world),
        ensure=world.ensure,
        publisher=world,
        too_large=cast("Any", world),
        catch_up=world.catch_up,
        follow_ups=(0.01, 0.01, 0.01),
    )
    world.types.hear(["sum"])
    session = asyncio.create_task(mover.session(cast("Link", world)))
    try:
        await eventually(lambda: len(world.settled_at_look) >= 5)
    finally:
        session.cancel()
    # Before it is settled, at once after that, and once for each pause.
    assert world.settled_at_look == [False, True, True, True, True]


class Mover(World):
    """It takes what is moved."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: list[Outgoing] = []

    async def messages(self, task_ids: Collection[str]) -> Mapping[str, Collection[str]]:
        return dict.fromkeys(task_ids, ())

    async def publish_all(self, messages: Sequence[Outgoing]) -> Sequence[None]:
        self.moved += messages
        return [None] * len(messages)

    async def ensure(self, source: TaskQueue, requirements: Requirements, *, again: bool) -> None:
        assert source.lane == "task:sum"


async def test_a_follow_up_task_that_is_moved_stays_its_parents_and_bound_to_it() -> None:
    world = Mover()
    world.types.hear(["sum"])
    rerouter = TaskRerouter(
        types=world.types,
        messages=world.messages,
        ensure=world.ensure,
        publisher=world,
        too_large=cast("Any", world),
    )
    task = message(task_data={"task_type": "sum"}, parent_id="parent", cancel_with_parent=3)
    await rerouter._send(task.source, Rerouted(), [unrouted(task.to_message(), task.source.key)])
    [moved] = [TaskMessage.from_message(one.message) for one in world.moved]
    assert (moved.source.lane, moved.parent_id, moved.cancel_with_parent) == (
        "task:sum",
        "parent",
        3,
    )
