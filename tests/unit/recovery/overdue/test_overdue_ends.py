"""The loop that looks for what is overdue waits for the broker, and outlives its and the ledger's absence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from coordinator.broker.asyncio_cancel import cancel_and_wait
from coordinator.domain.task import Task
from coordinator.errors import BrokerUnavailable, LedgerUnavailable
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event
from coordinator.recovery.overdue.missed_deadlines import MISSED_DEADLINES
from coordinator.recovery.overdue.overdue_ends import OverdueEnds
from tests.support.decoding import decode
from tests.support.waiting import eventually
from tests.unit.domain.histories import at, folded, submitted

SOON = timedelta(milliseconds=1)


class World:
    """Overdue tasks, and a broker, that do as they are told."""

    def __init__(self, *tasks: str) -> None:
        self.left = [folded(submitted(task_id)) for task_id in tasks]
        self.asked = 0
        self.ready = True
        self.broken: Exception | None = None
        self.told: list[str | None] = []
        self.loop = OverdueEnds(
            MISSED_DEADLINES,
            overdue=self,
            publisher=self,
            note=lambda _: None,
            ready=self.is_ready,
            now=lambda: at(100),
            poll=SOON,
        )
        self.asked_whether_ready = 0

    def is_ready(self) -> bool:
        self.asked_whether_ready += 1
        return self.ready

    async def since(self, instant: datetime, /, *, most: int) -> list[Task]:
        self.asked += 1
        if isinstance(self.broken, LedgerUnavailable):
            raise self.broken
        return self.left[:most]

    async def publish(self, message: Message, *, key: str, **_: Any) -> None:
        if self.broken is not None:
            raise self.broken
        events: list[Event] = decode(message, key)
        self.told += [event.data.subject for event in events]
        self.left = self.left[len(events) :]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.loop.run())
        try:
            yield
        finally:
            await cancel_and_wait(running)


async def test_nothing_is_looked_for_while_the_broker_is_not_ready() -> None:
    world = World("a")
    world.ready = False
    async with world.running():
        await eventually(lambda: world.asked_whether_ready >= 3)
        assert world.asked == 0
        world.ready = True
        await eventually(lambda: world.told == ["a"])


@pytest.mark.parametrize("error", [BrokerUnavailable(), LedgerUnavailable()], ids=repr)
async def test_it_goes_on_after_broker_or_ledger_have_not_answered(error: Exception) -> None:
    world = World("a")
    world.broken = error
    async with world.running():
        await eventually(lambda: world.asked >= 3)
        world.broken = None
        await eventually(lambda: world.told == ["a"])
