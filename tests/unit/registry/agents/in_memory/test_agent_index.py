"""Agents in pages, from memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.registry.agents.in_memory.agent_filter import AgentFilter
from coordinator.registry.agents.in_memory.ordered_ids import OrderedIds
from tests.unit.registry.fleet import Fleet, beat, declared, registered, removed

IDS = st.text("abc", min_size=1, max_size=2)


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "read"]), IDS)), st.none() | IDS)
def test_ids_are_in_order_whatever_came_and_went(
    steps: list[tuple[str, str]], place: str | None
) -> None:
    ids, model = OrderedIds(), set[str]()
    for what, one in [*steps, ("read", "b")]:
        if what == "read":
            assert list(ids.after(one)) == sorted(other for other in model if other > one)
        else:
            getattr(ids, what)(one)
            getattr(model, what)(one)
    after = [one for one in sorted(model) if place is None or one > place]
    assert list(ids.after(place)) == after
    assert len(ids) == len(model)


def test_the_same_agents_that_come_and_go_unread_take_no_room() -> None:
    ids = OrderedIds()
    ids.add("a")
    for _ in range(1000):
        ids.add("b")
        ids.discard("b")
    assert len(ids._added) < 10


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
