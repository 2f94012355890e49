"""Asking the broker how deep its queues are, without asking it too often."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from coordinator.broker.channel import Depth
from coordinator.domain.task_queues import TaskQueues
from coordinator.errors import BrokerUnavailable
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.queries.queue_sizes import QueueSizes, by_priority
from tests.support.waiting import eventually


class Queues:
    """Counts the looks; each waits until it ``may_end``."""

    def __init__(self) -> None:
        self.looks = 0
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.ready: dict[str, int | None] = {}
        self.away = False

    async def look(self, queues: Iterable[str]) -> dict[str, Depth | None]:
        self.looks += 1
        if self.away:
            raise BrokerUnavailable
        found = {queue: self.ready.get(queue) for queue in queues}
        await self.may_end.wait()
        return {queue: None if n is None else Depth(n, 1) for queue, n in found.items()}


@pytest.fixture
def queues() -> Queues:
    return Queues()


@pytest.fixture
def book() -> TaskQueues:
    return TaskQueues()


async def test_sizes_are_summed_over_lanes_in_the_contracts_order(
    queues: Queues, book: TaskQueues
) -> None:
    for lane, priority, ready in (
        ("any", Priority.LOW, 3),
        ("cap:gpu", Priority.LOW, 4),
        ("any", Priority.URGENT, None),
        ("any", Priority.HIGH, 1),
    ):
        source = TaskQueue(lane, priority)
        book.add(source, Requirements())
        queues.ready[source.queue] = ready

    sizes = by_priority(await QueueSizes(book=book, depths=queues).look())

    assert list(sizes.items()) == [
        ("urgent", 0),
        ("critical", 0),
        ("high", 1),
        ("normal", 0),
        ("low", 7),
    ]


async def test_with_no_queue_open_every_priority_is_empty(queues: Queues, book: TaskQueues) -> None:
    sizes = by_priority(await QueueSizes(book=book, depths=queues).look())
    assert set(sizes.values()) == {0}


async def test_an_answer_never_comes_from_before_its_question(
    queues: Queues, book: TaskQueues
) -> None:
    source = TaskQueue("any", Priority.LOW)
    book.add(source, Requirements())
    sizes = QueueSizes(book=book, depths=queues)
    queues.ready[source.queue] = 1
    queues.may_end.clear()
    first = asyncio.create_task(sizes.look())
    await eventually(lambda: queues.looks)

    queues.ready[source.queue] = 2
    later = [asyncio.create_task(sizes.look()) for _ in range(20)]
    await asyncio.sleep(0)
    queues.may_end.set()

    assert [found.ready for found in await first] == [1]
    assert [[found.ready for found in await one] for one in later] == [[2]] * 20
    assert queues.looks == 2


async def test_a_failed_look_fails_its_own_questions_only(queues: Queues, book: TaskQueues) -> None:
    sizes = QueueSizes(book=book, depths=queues)
    queues.away = True
    with pytest.raises(BrokerUnavailable):
        await sizes.look()
    queues.away = False
    assert await sizes.look() == []


async def test_one_who_gives_up_does_not_end_the_look_of_the_others(
    queues: Queues, book: TaskQueues
) -> None:
    sizes = QueueSizes(book=book, depths=queues)
    queues.may_end.clear()
    impatient = asyncio.create_task(sizes.look())
    patient = asyncio.create_task(sizes.look())
    await asyncio.sleep(0)
    impatient.cancel()
    queues.may_end.set()
    assert await patient == []
