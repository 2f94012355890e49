"""Whose task opened the lane of a queue is known again after a restart, and forgotten with the queue."""

from __future__ import annotations

from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import Event, SourceOpened, SourceRetired
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.ledger.ledger_rebuild import rebuild
from coordinator.registry.tables.task_queue_rows import openers_of_task_queues
from tests.unit.registry.answers import stored

GPU = Requirements(capabilities=("gpu",))


def opened(
    wanted: Requirements, by: str | None = None, priority: Priority = Priority.NORMAL
) -> Event:
    return Event(
        data=SourceOpened(
            lane=lane_name(wanted),
            priority=priority,
            requirements=wanted.as_dict(),
            opened_by=by,
        )
    )


def queue(wanted: Requirements, priority: Priority = Priority.NORMAL) -> TaskQueue:
    return TaskQueue(lane_name(wanted), priority)


async def test_the_last_opening_of_a_queue_says_whose_it_is(ledger: Ledger) -> None:
    cpu = Requirements(capabilities=("cpu",))
    await stored(ledger, opened(GPU, "key:a"), opened(GPU, None, Priority.LOW))
    await stored(ledger, opened(cpu, "key:a"), opened(Requirements()))
    assert await ledger.read(openers_of_task_queues) == {queue(GPU): "key:a", queue(cpu): "key:a"}
    retired = SourceRetired(lane=lane_name(GPU), priority=Priority.NORMAL)
    await stored(ledger, Event(data=retired))
    assert await ledger.read(openers_of_task_queues) == {queue(cpu): "key:a"}
    await stored(ledger, opened(GPU, "key:b"), opened(cpu, None))
    assert await ledger.read(openers_of_task_queues) == {queue(GPU): "key:b"}
    await ledger.write(rebuild)
    assert await ledger.read(openers_of_task_queues) == {queue(GPU): "key:b"}
