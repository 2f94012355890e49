"""Which lanes no agent ever registered for, as the ledger has it."""

from __future__ import annotations

import pytest

from coordinator.errors import LedgerUnavailable
from coordinator.protocol.messages.events import AgentRegistered, AgentRemoved, Event
from coordinator.protocol.requirements import Requirements
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.upkeep.unserved_lanes import UnservedLanes
from tests.unit.registry.answers import stored

LANES = {
    "cap:gpu": Requirements(capabilities=("gpu",)),
    "cap:gup": Requirements(capabilities=("gup",)),
    "svc:files": Requirements(services=("files",)),
    "agent:ada": Requirements(agent_id="ada"),
    "any": Requirements(),
}


def ada(*capabilities: str) -> Event:
    return Event(
        data=AgentRegistered(
            agent_id="ada",
            agent_type="worker",
            capabilities=list(capabilities),
            services=["files"],
        )
    )


async def test_a_lane_is_served_once_an_agent_has_registered_for_it_and_from_then_on(
    ledger: Ledger,
) -> None:
    unserved = UnservedLanes(ledger)
    assert await unserved.among(LANES) == LANES.keys() - {"any"}
    await stored(ledger, ada("gpu"))
    assert await unserved.among(LANES) == {"cap:gup"}
    await stored(ledger, Event(data=AgentRemoved(agent_id="ada")))
    assert await UnservedLanes(ledger).among(LANES) == {"cap:gup"}
    await stored(ledger, ada("gup"))
    assert await unserved.among(LANES) == set()


async def test_while_the_ledger_is_away_nobody_is_refused(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(_: object) -> None:
        raise LedgerUnavailable

    monkeypatch.setattr(ledger, "read", away)
    assert await UnservedLanes(ledger).among(LANES) == set()
