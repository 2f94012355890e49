"""All agents in memory: what is told of them."""

from __future__ import annotations

import pytest

from coordinator.protocol.messages.events import Event
from tests.unit.domain.histories import START
from tests.unit.registry.fleet import (
    beat,
    declared,
    fleet_after,
    registered,
    removed,
    stopped,
)


def test_a_registered_agent_is_told_with_the_fields_of_the_contract() -> None:
    fleet = fleet_after(
        registered(
            capabilities=["analysis"],
            services=["task-execution"],
            endpoints={"http": "http://localhost:9002"},
            metadata={"weight": 2},
            version="2.1",
            tags=["lab"],
            slots=4,
        ),
        beat(running=1, slots=4, load_metrics={"cpu_usage": 0.5}),
    )
    view = fleet.view(fleet.the("ada"))
    assert (view.agent_id, view.agent_type, view.status) == ("ada", "worker", "active")
    assert (view.capabilities, view.services) == (["analysis"], ["task-execution"])
    assert view.endpoints == {"http": "http://localhost:9002"}
    assert view.metadata == {"weight": 2}
    assert (view.version, view.tags) == ("2.1", ["lab"])
    assert view.load_metrics == {"cpu_usage": 0.5}
    assert view.registration_time == view.last_heartbeat == START
    assert (view.slots, view.free_slots, view.running) == (4, 3, ["task-0"])
    assert view.health_score == 0.95


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((), "active"),
        ((beat(running=2, slots=2),), "busy"),
        ((beat(running=2, slots=2), beat(running=1, slots=2)), "active"),
        ((beat(status="draining"),), "draining"),
        ((beat(status="degraded", running=1, slots=1),), "degraded"),
        ((beat(status="of a newer version"),), "active"),
        ((declared("maintenance"), beat(status="active")), "maintenance"),
        ((declared("maintenance"), beat(status="draining")), "maintenance"),
        ((declared("busy"), declared("active", seconds=2)), "active"),
        ((stopped(),), "inactive"),
        ((stopped(), registered(seconds=2)), "active"),
    ],
)
def test_the_status_is_merged_from_what_was_declared_and_observed(
    events: tuple[Event, ...], status: str
) -> None:
    assert fleet_after(registered(slots=2), *events).status_of("ada") == status


@pytest.mark.parametrize(
    ("events", "slots", "free", "running"),
    [
        ((), 4, None, None),
        ((beat(slots=4),), 4, 4, []),
        ((beat(running=6, slots=4),), 4, 0, [f"task-{n}" for n in range(6)]),
        ((beat(running=1, slots=4, load_metrics={"abandoned_handlers": 2.0}),), 4, 1, ["task-0"]),
        ((beat(running=1, slots=8), beat(running=0, slots=2)), 2, 2, []),
    ],
)
def test_slots_are_free_but_for_what_runs_and_what_was_given_up(
    events: tuple[Event, ...], slots: int, free: int | None, running: list[str] | None
) -> None:
    fleet = fleet_after(registered(slots=4), *events)
    view = fleet.view(fleet.the("ada"))
    assert (view.slots, view.free_slots, view.running) == (slots, free, running)


def test_of_an_agent_that_never_said_how_many_slots_it_has_none_are_told() -> None:
    fleet = fleet_after(registered(), beat(running=1))
    view = fleet.view(fleet.the("ada"))
    assert (view.slots, view.free_slots, view.running) == (None, None, ["task-0"])


def test_load_metrics_are_the_last_that_were_told() -> None:
    fleet = fleet_after(registered(), declared("busy", load_metrics={"pending_tasks": 2}), beat())
    assert fleet.view(fleet.the("ada")).load_metrics == {"pending_tasks": 2}
    fleet.apply(beat(load_metrics={"cpu_usage": 1.0}))
    assert fleet.view(fleet.the("ada")).load_metrics == {"cpu_usage": 1.0}


def test_a_heartbeat_of_an_agent_that_nobody_knows_makes_none() -> None:
    assert len(fleet_after(beat())) == 0


def test_a_removed_agent_is_gone_until_it_registers_again() -> None:
    first = registered(seconds=30)
    fleet = fleet_after(first, removed(seconds=2))
    assert "ada" not in fleet
    assert fleet.find() == []
    fleet.apply(first)  # a copy that comes late
    assert "ada" not in fleet
    fleet.apply(registered(seconds=3))
    assert "ada" in fleet
