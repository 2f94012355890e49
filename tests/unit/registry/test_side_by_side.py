"""Several coordinators that write to one ledger at the same time."""

from __future__ import annotations

import asyncio
import random

from coordinator.protocol.events import AgentRegistered, AgentStatusChanged, Event
from coordinator.registry.ledger import Ledger
from coordinator.registry.snapshots import Snapshots
from tests.unit.domain.histories import at
from tests.unit.registry.answers import answers, stored
from tests.unit.registry.fleet import Fleet

AGENTS = [f"agent-{number:03}" for number in range(150)]


def mixed() -> list[str]:
    return random.sample(AGENTS, len(AGENTS))


async def test_snapshots_and_the_projector_never_wait_for_each_other_in_a_ring(
    ledger_url: str,
) -> None:
    async with Ledger(ledger_url) as first, Ledger(ledger_url) as second:
        registered = [
            Event(data=AgentRegistered(agent_id=one, agent_type="worker"), time=at(0))
            for one in AGENTS
        ]
        await stored(first, *registered)
        for _ in range(8):
            fleets = (Fleet(), Fleet())
            for fleet in fleets:
                for agent_id in mixed():
                    fleet.apply(registered[AGENTS.index(agent_id)])
            told = [
                Event(data=AgentStatusChanged(agent_id=one, status="busy"), time=at(1))
                for one in mixed()
            ]
            await asyncio.gather(
                Snapshots(ledger=first, agents=fleets[0]).write(),
                Snapshots(ledger=second, agents=fleets[1]).write(),
                stored(second, *told),
            )
        assert {row["declared"] for row in (await answers(first))["agents"]} == {"busy"}
