"""Discovery: by filters, counted, and without looking at the whole fleet."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.protocol.messages.events import Event
from coordinator.registry.agents.in_memory.agent_index import AgentIndex
from coordinator.registry.agents.in_memory.known_agent import KnownAgent
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from tests.unit.registry.fleet import (
    STALE_AFTER,
    Fleet,
    beat,
    declared,
    fleet_after,
    registered,
    removed,
    stopped,
)


def test_filters_are_anded_and_an_unknown_value_matches_nobody() -> None:
    fleet = fleet_after(
        registered("ada", capabilities=["gpu", "ocr"], services=["web"]),
        registered("bob", capabilities=["gpu"], agent_type="monitor"),
        registered("cid"),
        declared("busy", "bob"),
    )

    def ids(found: list[KnownAgent]) -> list[str]:
        return [known.agent_id for known in found]

    assert ids(fleet.find()) == ["ada", "bob", "cid"]
    assert ids(fleet.find(capabilities=["gpu"])) == ["ada", "bob"]
    assert ids(fleet.find(capabilities=["gpu", "ocr"])) == ["ada"]
    assert ids(fleet.find(capabilities=["gpu"], agent_type="monitor")) == ["bob"]
    assert ids(fleet.find(services=["web"], status="active")) == ["ada"]
    assert ids(fleet.find(status="busy")) == ["bob"]
    assert ids(fleet.find(status="nonsense")) == []
    assert ids(fleet.find(capabilities=["gpu"], services=["nonsense"])) == []


def test_the_fleet_is_counted() -> None:
    fleet = fleet_after(
        registered("ada", slots=2, metadata={"weight": 0.5}),
        registered("bob", slots=2),
        registered("cid", slots=2),
        beat("ada", running=2),
        beat("bob", running=1),
        beat("cid", running=2),
        declared("maintenance", "cid"),
    )
    assert (fleet.count(AgentStatus.ACTIVE), fleet.count(AgentStatus.BUSY)) == (1, 1)
    assert fleet.weighted == 1
    assert fleet.mean_load() == 1.5
    assert Fleet().mean_load() == 0.0


events_of_fleet = st.lists(
    st.one_of(
        st.builds(
            registered,
            st.sampled_from(["ada", "bob"]),
            st.integers(0, 9),
            capabilities=st.lists(st.sampled_from(["gpu", "ocr"]), unique=True),
            slots=st.sampled_from([None, 1]),
            metadata=st.sampled_from([{}, {"weight": 2}]),
            instance=st.sampled_from(["first", "second"]),
        ),
        st.builds(beat, st.sampled_from(["ada", "bob"]), running=st.integers(0, 2)),
        st.builds(
            declared,
            st.sampled_from(["busy", "active", "maintenance"]),
            st.sampled_from(["ada", "bob"]),
            st.integers(0, 9),
        ),
        st.builds(stopped, st.sampled_from(["ada", "bob"]), st.integers(0, 9)),
        st.builds(removed, st.sampled_from(["ada", "bob"]), st.integers(0, 9)),
        st.sampled_from([1.0, 30.0, 61.0]),
    ),
    max_size=20,
)


@given(events_of_fleet)
def test_the_index_always_agrees_with_the_agents(steps: list[Event | float]) -> None:
    fleet = Fleet()
    for step in steps:
        if isinstance(step, float):
            fleet.pass_time(step)
        else:
            fleet.apply(step)
    everyone = fleet.find()
    for status in AgentStatus:
        alike = [one for one in everyone if fleet.status(one) is status]
        assert fleet.find(status=status.value) == alike
        assert fleet._roster.index.load(status) == sum(one.running for one in alike)
    assert fleet.weighted == sum("weight" in fleet.view(one).metadata for one in everyone)
    for capability in ("gpu", "ocr"):
        expected = [
            one.agent_id for one in everyone if capability in one.agent.registration.capabilities
        ]
        assert [one.agent_id for one in fleet.find(capabilities=[capability])] == expected


def test_an_index_of_nobody_holds_nothing() -> None:
    index = AgentIndex()
    registration = fleet_after(registered(capabilities=["gpu"])).the("ada").agent.registration
    index.add(registration)
    index.set_status("ada", AgentStatus.ACTIVE, 2)
    index.discard(registration)
    assert not index.find()
    assert not index._ids
    assert not index._running
    assert index.load(AgentStatus.ACTIVE) == 0


def test_discovery_looks_at_those_that_match_and_not_at_the_whole_fleet() -> None:
    fleet = LiveAgents(stale_after=STALE_AFTER)
    for number in range(20_000):
        rare = ["rare"] if number % 2_000 == 0 else []
        fleet.apply(registered(f"agent-{number}", capabilities=["common", *rare]))
    began = time.process_time()
    for _ in range(100):
        assert len(fleet.find(capabilities=["common", "rare"], agent_type="worker")) == 10
        assert fleet.count(AgentStatus.ACTIVE) == 20_000
        assert (fleet.weighted, fleet.mean_load()) == (0, 0.0)
    assert (time.process_time() - began) / 100 < 0.002
