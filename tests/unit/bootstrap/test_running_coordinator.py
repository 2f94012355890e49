"""A running service tells when it is ready for tasks and agents."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from coordinator.bootstrap import Coordinator
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import OperatorError
from tests.support.waiting import eventually


class Agent:
    agent_id = "ada"


class Broker:
    """The publisher and the opener of queues: they tell when they are ready, and count who waits for it."""

    def __init__(self) -> None:
        self.there = asyncio.Event()
        self.waiting = 0

    async def _told(self) -> None:
        self.waiting += 1
        await self.there.wait()

    @property
    def available(self) -> bool:
        return self.there.is_set()


class ABrokersPublisher(Broker):
    ready = Broker._told


class ABrokersOpener(Broker):
    restored = Broker._told
    ready = Broker.available


def a_coordinator(publisher: Broker, opener: Broker, life: asyncio.Task[Any]) -> Coordinator:
    nothing = cast("Any", None)
    return Coordinator(
        app=nothing,
        registry=nothing,
        publisher=cast("Any", publisher),
        opener=cast("Any", opener),
        output=nothing,
        types=AnnouncedTypes(),
        hindered=nothing,
        life=life,
    )


async def test_who_waits_is_told_by_the_publisher_and_the_opener_of_queues() -> None:
    publisher, opener = ABrokersPublisher(), ABrokersOpener()
    life = asyncio.create_task(asyncio.Event().wait())
    ready = asyncio.create_task(a_coordinator(publisher, opener, life).ready())
    await eventually(lambda: publisher.waiting)
    publisher.there.set()
    await eventually(lambda: opener.waiting)
    assert not ready.done()
    opener.there.set()
    await ready
    life.cancel()


async def test_who_waits_for_a_service_that_fails_is_told_why() -> None:
    async def fail() -> None:
        raise OperatorError("The ledger is gone.")

    life = asyncio.create_task(fail())
    with pytest.raises(OperatorError, match="The ledger is gone"):
        await a_coordinator(ABrokersPublisher(), ABrokersOpener(), life).ready()


class Registry:
    """Knows one agent, and counts how often it was asked."""

    asked = 0

    def discover(self, *, status: str) -> list[Agent]:
        self.asked += 1
        return [Agent()]


async def test_agents_are_known_once_tasks_of_their_types_go_to_lanes_of_their_own() -> None:
    types = AnnouncedTypes()
    types.hear(["sum"])
    registry = Registry()
    nothing = cast("Any", None)
    life = asyncio.create_task(asyncio.Event().wait())
    coordinator = Coordinator(
        app=nothing,
        registry=cast("Any", registry),
        publisher=nothing,
        opener=nothing,
        output=nothing,
        types=types,
        hindered=nothing,
        life=cast("Any", life),
    )
    known = asyncio.create_task(coordinator.agents_known({"ada"}))

    await eventually(lambda: registry.asked > 1)
    assert not known.done()

    types.settle({"sum"})
    await known
    life.cancel()
