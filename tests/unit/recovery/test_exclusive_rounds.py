"""Looks take turns, under one lock, each as often as it asks for."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from coordinator.broker.connection import Link
from coordinator.errors import BrokerUnavailable, ChannelLost, QueueLocked
from coordinator.protocol.topology import RECONCILING, Topology, lock_queue
from coordinator.recovery.exclusive_rounds import ExclusiveRounds
from tests.support.waiting import eventually


class Broker:
    """A link whose broker keeps one lock, and a channel of it."""

    def __init__(self) -> None:
        self.open = True
        self.taken = False
        self.ours = False
        self.refused = 0

    async def channel(self) -> Broker:
        return self

    async def close(self) -> None:
        pass

    async def closed(self) -> None:
        await eventually(lambda: not self.open)

    async def declare(self, topology: Topology) -> None:
        assert topology.queues == (lock_queue(RECONCILING),)
        if self.taken:
            self.refused += 1
            raise QueueLocked
        self.ours = True

    async def delete_queue(self, queue: str) -> None:
        assert queue == lock_queue(RECONCILING).name
        self.ours = False


class Looker:
    def __init__(self, broker: Broker, *, interval: float) -> None:
        self.interval = interval
        self._broker = broker
        self.looks = 0
        self.unavailable = False

    async def look(self, link: Link) -> int:
        assert link is cast("Link", self._broker)
        assert self._broker.ours
        self._broker.ours = False  # nobody else's turn, even when others have theirs meanwhile
        await asyncio.sleep(0)
        self._broker.ours = True
        self.looks += 1
        if self.unavailable:
            raise BrokerUnavailable
        return 0


async def test_each_look_has_its_turns_and_one_that_cannot_look_now_has_others() -> None:
    broker = Broker()
    often, seldom = Looker(broker, interval=0.001), Looker(broker, interval=0.03)
    never = Looker(broker, interval=0)
    often.unavailable = True
    session = asyncio.create_task(
        ExclusiveRounds(often, seldom, never).session(cast("Link", broker))
    )
    await eventually(lambda: seldom.looks >= 3)
    assert often.looks > seldom.looks
    assert never.looks == 0
    broker.open = False
    with pytest.raises(ChannelLost):
        await session


async def test_while_another_coordinator_looks_nothing_is_looked_at_here() -> None:
    broker = Broker()
    broker.taken = True
    look = Looker(broker, interval=0.001)
    session = asyncio.create_task(ExclusiveRounds(look).session(cast("Link", broker)))
    await eventually(lambda: broker.refused >= 2)
    assert look.looks == 0
    broker.taken = False
    await eventually(lambda: look.looks >= 1)
    broker.open = False
    with pytest.raises(ChannelLost):
        await session


async def test_where_nothing_is_to_be_looked_for_it_only_lasts_as_long_as_the_link() -> None:
    broker = Broker()
    look = Looker(broker, interval=0)
    session = asyncio.create_task(ExclusiveRounds(look).session(cast("Link", broker)))
    await asyncio.sleep(0)
    assert not session.done()
    broker.open = False
    with pytest.raises(ChannelLost):
        await session
    assert look.looks == 0
