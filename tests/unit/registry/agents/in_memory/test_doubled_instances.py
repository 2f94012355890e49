"""Two processes of one agent, one after the other or in turn."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from coordinator.protocol.messages.events import AgentHeartbeat, Event
from tests.unit.domain.histories import START
from tests.unit.registry.fleet import (
    Fleet,
    beat,
    declared,
    fleet_after,
    registered,
    stopped,
)


def test_a_copy_of_a_heartbeat_is_not_heard_twice() -> None:
    fleet = fleet_after(registered(), beat(instance="a", sequence=2, running=1, slots=2))
    fleet.apply(beat(instance="a", sequence=1, running=2, slots=2))
    assert fleet.status_of("ada") == "active"


def two_processes(*then: Event) -> Fleet:
    """Of which `a` registered first, and `b` last; both beat."""
    return fleet_after(
        registered(instance="a", slots=1),
        beat(instance="a", sequence=1, slots=1),
        registered(instance="b", slots=1, seconds=5),
        beat(instance="b", sequence=1, slots=1),
        beat(instance="a", sequence=2, slots=1),
        beat(instance="b", sequence=2, slots=1, status="draining"),
        *then,
    )


def test_a_second_process_that_leaves_does_not_take_the_first_with_it() -> None:
    fleet = two_processes(stopped(instance="b"))
    assert fleet.status_of("ada") == "inactive"
    fleet.apply(beat(instance="a", sequence=3, slots=1))
    assert fleet.status_of("ada") == "active"
    fleet.pass_time(61)
    assert fleet.status_of("ada") == "stale"


def test_a_first_process_that_leaves_does_not_take_the_second_with_it() -> None:
    fleet = two_processes(stopped(instance="a"), beat(instance="b", sequence=3, slots=1))
    assert fleet.status_of("ada") == "active"


def test_a_late_beat_of_the_process_that_said_goodbye_does_not_bring_it_back() -> None:
    fleet = fleet_after(
        registered(instance="a"), stopped(instance="a"), beat(instance="a", sequence=9)
    )
    assert fleet.status_of("ada") == "inactive"


def test_a_drain_belongs_to_the_process_that_was_there_and_maintenance_to_the_agent() -> None:
    fleet = two_processes(declared("draining", instance="b"))
    assert fleet.status_of("ada") == "draining"
    fleet.apply(beat(instance="c", sequence=1))  # started anew, and not registered yet
    assert fleet.status_of("ada") == "active"
    fleet.apply(declared("maintenance"))
    assert fleet.status_of("ada") == "maintenance"
    fleet.apply(registered(instance="c"))
    assert fleet.status_of("ada") == "maintenance"


@pytest.mark.parametrize("ahead", [-20, 0, 20])
def test_an_agent_that_is_started_again_is_active_whatever_its_clocks_were(ahead: float) -> None:
    fleet = fleet_after(
        registered(instance="a", seconds=1),
        declared("draining", instance="a", seconds=2),
        stopped(instance="a", seconds=ahead),
        registered(instance="b", seconds=3),
        beat(instance="b", sequence=1),
    )
    assert fleet.status_of("ada") == "active"


@pytest.mark.parametrize("instance", ["a", None])
def test_a_goodbye_counts_whatever_its_clock_says(instance: str | None) -> None:
    fleet = fleet_after(
        registered(instance="a", seconds=1.2),
        declared("draining", instance="a", seconds=1.7),
        stopped(instance=instance, seconds=1),
    )
    assert fleet.status_of("ada") == "inactive"


def test_a_snapshot_of_the_process_before_tells_nothing_of_the_one_that_left() -> None:
    fleet = Fleet()
    left = fleet_after(registered(instance="b"), stopped(instance="b")).the("ada")
    fleet.restore(
        left.agent,
        heartbeat=AgentHeartbeat(agent_id="ada", instance="a", sequence=9),
        load_metrics=None,
        heard_at=START,
        silence=timedelta(),
    )
    fleet.restored()
    assert fleet.status_of("ada") == "inactive"


def test_two_processes_under_one_id_are_noticed_and_a_restart_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    fleet = fleet_after(
        registered(), beat(instance="a", sequence=9), beat(instance="b", sequence=1)
    )
    assert fleet.view(fleet.the("ada")).other_instance is None
    fleet.apply(beat(instance="a", sequence=10))
    fleet.apply(beat(instance="b", sequence=2))
    view = fleet.view(fleet.the("ada"))
    assert view.other_instance == "a"
    assert view.metadata == {"other_instance": "a"}
    assert [record.message for record in caplog.records] == [
        "two processes use the same agent id: give one of them another"
    ]
    for sequence in range(3, 70):
        fleet.pass_time(1)
        fleet.apply(beat(instance="b", sequence=sequence))
    assert fleet.view(fleet.the("ada")).other_instance is None
