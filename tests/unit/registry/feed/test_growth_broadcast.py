"""Processes that follow the ledger are told when it has grown, and while nobody follows nothing is told."""

from __future__ import annotations

import asyncio

from coordinator.errors import PublishRefused
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import EventData, LedgerFollowed, LedgerGrew
from coordinator.protocol.topology import EVENTS, LIVE_BINDINGS
from coordinator.registry.feed.follow_request import FollowRequest
from coordinator.registry.feed.growth_broadcast import FOLLOWED_FOR, GrowthBroadcast
from tests.support.decoding import decode
from tests.unit.domain.histories import submitted


class Publisher:
    """Holds each message until it is let go."""

    def __init__(self) -> None:
        self.said: list[EventData] = []
        self.free = asyncio.Event()
        self.fails = False

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        assert (exchange, mandatory, message.persistent) == (EVENTS, False, False)
        [event] = decode(message, key)
        await self.free.wait()
        if self.fails:
            raise PublishRefused
        self.said.append(event.data)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_growth_is_told_while_another_process_follows_and_once_for_all_that_came_meanwhile() -> (
    None
):
    publisher, clock = Publisher(), Clock()
    growth = GrowthBroadcast(publisher, process="here", monotonic=clock)
    publisher.free.set()
    growth.folded([submitted()])
    growth.followed("here")
    growth.folded([submitted()])
    await growth.told()
    assert publisher.said == []

    publisher.free.clear()
    growth.followed("there")
    for _ in range(5):
        growth.folded([submitted()])
        await asyncio.sleep(0)
    growth.folded([])
    publisher.free.set()
    await growth.told()
    assert publisher.said == [LedgerGrew(), LedgerGrew()]

    clock.now += FOLLOWED_FOR
    growth.folded([submitted()])
    await growth.told()
    assert len(publisher.said) == 2


async def test_a_word_that_is_lost_costs_nobody_anything() -> None:
    publisher = Publisher()
    publisher.free.set()
    publisher.fails = True
    growth = GrowthBroadcast(publisher, process="here")
    growth.followed("there")
    growth.folded([submitted()])
    await growth.told()
    await FollowRequest(publisher, process="here").send()
    publisher.fails = False
    growth.folded([submitted()])
    await growth.told()
    await FollowRequest(publisher, process="here").send()
    assert publisher.said == [LedgerGrew(), LedgerFollowed(process="here")]


def test_every_process_hears_who_follows_and_that_the_ledger_grew() -> None:
    assert {"ledger.*.followed", "ledger.*.grew"} <= set(LIVE_BINDINGS)
