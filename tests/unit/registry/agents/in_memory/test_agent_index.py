"""Agents in pages, from memory."""

from __future__ import annotations

import pytest

from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed


@pytest.fixture
def fleet() -> Fleet:
    fleet = Fleet()
    for number in range(40):
        fleet.apply(
            registered(
                f"agent-{number:02}",
                agent_type=("worker", "monitor", "gateway")[number % 3],
                capabilities=["gpu"] if number % 2 else ["gpu", "vision"],
                services=["documents"] if number == 30 else [],
                slots=1,
            )
        )
    fleet.apply(declared("maintenance", "agent-04"))
    fleet.apply(beat("agent-05", running=1))
    fleet.apply(removed("agent-07"))
    return fleet


@pytest.mark.parametrize(
    "wanted",
    [
        AgentFilter(),
        AgentFilter(statuses=frozenset({"maintenance", "busy"})),
        AgentFilter(statuses=frozenset({"active"})),
        AgentFilter(agent_types=frozenset({"worker", "monitor"})),
        AgentFilter(capabilities=frozenset({"gpu", "vision"})),
        AgentFilter(services=frozenset({"documents"}), agent_types=frozenset({"worker"})),
        AgentFilter(capabilities=frozenset({"flight"})),
    ],
)
@pytest.mark.parametrize("limit", [1, 3, 200])
def test_pages_together_hold_each_agent_that_matches_once_and_by_id(
    fleet: Fleet, wanted: AgentFilter, limit: int
) -> None:
    right = []
    for known in fleet.find():
        view = fleet.view(known)
        if (
            (not wanted.statuses or view.status in wanted.statuses)
            and (not wanted.agent_types or view.agent_type in wanted.agent_types)
            and wanted.capabilities.issubset(view.capabilities)
            and wanted.services.issubset(view.services)
        ):
            right.append(view.agent_id)
    assert right or wanted.capabilities == {"flight"}
    found: list[str] = []
    more = True
    while more:
        page, total, more = fleet.page(wanted, after=found[-1] if found else None, limit=limit)
        assert total == len(right)
        found += [known.agent_id for known in page]
    assert found == right
