"""A running service tells when it is ready for tasks and agents."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from coordinator.bootstrap import Coordinator
from coordinator.domain.announced_types import AnnouncedTypes
from tests.support.waiting import eventually


class Agent:
    agent_id = "ada"


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
