"""Tasks of which the broker took one half are completed, and none is put on its queue where it may be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from coordinator.broker.channel import Depth
from coordinator.broker.connection import Link
from coordinator.domain.task import State, Task
from coordinator.errors import (
    CoordinatorError,
    OutcomeUnknown,
    PublishNacked,
    PublishRefused,
    TaskNotFound,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.topology import LOG, WORK
from coordinator.recovery.half_published_tasks import HalfPublishedTasks
from tests.support.waiting import eventually

TASK = TaskMessage(
    task_id="t",
    task_data={},
    priority=Priority.NORMAL,
    submitted_at=datetime(2026, 1, 31, 12, tzinfo=UTC),
    task_token="t",
)
MESSAGE = TASK.to_message()
QUEUED = Task(task_id="t", generation=1, attempt=1, state=State.QUEUED)


class World:
    """A broker, a ledger and heartbeats."""

    def __init__(self) -> None:
        self.now = 0.0
        self.known: Task | None = QUEUED
        self.hands: dict[tuple[str, int], int] = {}
        self.ready = 0
        self.ends: list[CoordinatorError] = []
        self.published: list[tuple[str, str]] = []
        self.looks = 0
        self.open = True
        self.halves = HalfPublishedTasks(
            publisher=self,
            find=self.find,
            catch_up=self.catch_up,
            in_hand=lambda: self.hands,
            depths=self,
            first_pause=timedelta(milliseconds=1),
            monotonic=lambda: self.now,
        )

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert message is MESSAGE
        if self.ends:
            raise self.ends.pop(0)
        self.published.append((exchange, key))

    async def find(self, task_id: str) -> tuple[Task, TaskMessage]:
        self.looks += 1
        if self.known is None:
            raise TaskNotFound(task_id)
        return self.known, TASK

    async def catch_up(self) -> None: ...

    async def look(self, queues: Iterable[str]) -> Mapping[str, Depth | None]:
        return {name: Depth(self.ready, consumers=0) for name in queues}

    async def channel(self, **_: Any) -> World:
        return self

    async def declare(self, _: object) -> None: ...

    async def delete_queue(self, _: str) -> None: ...

    async def get(self, _: str) -> None: ...

    async def close(self) -> None: ...

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        session = asyncio.create_task(self.halves.session(cast("Link", self)))
        yield
        session.cancel()
        await asyncio.wait([session])

    async def settles(self) -> None:
        async with self.at_work():
            await eventually(lambda: not len(self.halves))


@pytest.fixture
async def world() -> World:
    return World()


async def test_what_is_not_in_the_log_is_sent_there_until_it_is(world: World) -> None:
    world.ends = [PublishRefused(), OutcomeUnknown(), PublishNacked()]
    world.halves.unlogged(MESSAGE)
    await world.settles()
    assert world.published == [("", LOG)]


async def test_what_is_not_on_its_queue_is_put_there(world: World) -> None:
    world.halves.unqueued(MESSAGE, certain=True)
    world.ready = 7
    await world.settles()
    assert world.published == [(WORK, "any.normal")]


@pytest.mark.parametrize(
    "known",
    [
        None,
        QUEUED._replace(state=State.RUNNING, started=1),
        QUEUED._replace(state=State.CANCELLED),
        QUEUED._replace(started=1),
        QUEUED._replace(generation=2),
    ],
)
async def test_what_the_ledger_has_otherwise_is_left_alone(
    world: World, known: Task | None
) -> None:
    world.known = known
    world.halves.unqueued(MESSAGE, certain=True)
    await world.settles()
    assert not world.published


async def test_what_an_agent_names_is_on_no_queue_by_right(world: World) -> None:
    world.hands = {("t", 1): 1}
    world.halves.unqueued(MESSAGE, certain=True)
    await world.settles()
    assert not world.published


async def test_after_a_nack_the_queue_has_to_be_empty(world: World) -> None:
    world.ready = 1
    world.halves.unqueued(MESSAGE, certain=False)
    async with world.at_work():
        await eventually(lambda: world.looks >= 3)
        assert not world.published
        world.ready = 0
        await eventually(lambda: world.published)
    assert world.published == [(WORK, "any.normal")]


async def test_what_was_perhaps_put_is_the_reconcilers(world: World) -> None:
    world.ends = [OutcomeUnknown()]
    world.halves.unqueued(MESSAGE, certain=True)
    await world.settles()
    assert not world.published
    assert world.halves.doubts.all() == ["t"]


async def test_what_takes_long_is_the_reconcilers(world: World) -> None:
    world.halves.unqueued(MESSAGE, certain=False)
    world.now += 301
    await world.settles()
    assert not world.published
    assert world.halves.doubts.all() == ["t"]
