"""Heartbeats as other clients send them, and what they tell of an agent's clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.messages.events import AgentHeartbeat, Event
from tests.unit.domain.histories import START
from tests.unit.registry.fleet import (
    beat,
    fleet_after,
    registered,
)


def skew_after(*sent_and_heard: tuple[float, float], instance: str = "a") -> float | None:
    fleet = fleet_after(registered(instance=instance))
    for sequence, (sent, heard) in enumerate(sent_and_heard, start=1):
        fleet.clock.wall = START + timedelta(seconds=heard)
        fleet.apply(beat(instance=instance, sequence=sequence, seconds=sent))
    return fleet.view(fleet.the("ada")).clock_skew_seconds


def test_how_wrong_an_agents_clock_is_is_told_by_several_beats() -> None:
    assert skew_after((20, 0.1), (30, 10.3)) is None
    assert skew_after((20, 0.1), (30, 10.3), (40, 20.2)) == 19.9
    assert skew_after((-20, 0.1), (-10, 10.3), (0, 20.2)) == -20.1


def test_transit_and_waiting_for_this_process_to_hear_are_no_skew() -> None:
    assert skew_after((0, 15), (10, 15), (14.99, 15)) == -0.01
    assert skew_after((0, 30), (10, 40), (20, 20.02), (30, 45)) == -0.02


def test_a_clock_that_was_put_right_is_believed_after_a_minute() -> None:
    right = [(seconds, seconds + 0.01) for seconds in range(100, 180, 10)]
    assert skew_after((20, 0), (30, 10), (40, 20), *right) == -0.01


def test_a_wrong_clock_is_among_what_the_metadata_tell() -> None:
    fleet = fleet_after(registered(instance="a", metadata={"room": 4}))
    for sequence in (1, 2, 3):
        fleet.apply(beat(instance="a", sequence=sequence, seconds=20))
    assert fleet.view(fleet.the("ada")).metadata == {"room": 4, "clock_skew_seconds": 20.0}
    assert fleet.skew_of("ada") == timedelta(seconds=20)
    assert fleet.skew_of("nobody") is None
    for sequence in (1, 2, 3):
        fleet.apply(beat(instance="b", sequence=sequence, seconds=1))
    assert fleet.view(fleet.the("ada")).metadata == {"room": 4}
    assert fleet.view(fleet.the("ada")).clock_skew_seconds == 1.0


def test_a_heartbeat_that_a_coordinator_states_tells_of_no_clock() -> None:
    fleet = fleet_after(registered(), *(beat(seconds=20) for _ in range(3)))
    assert fleet.view(fleet.the("ada")).clock_skew_seconds is None


def test_what_of_a_heartbeat_cannot_be_read_is_told_by_the_api_and_once_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fleet = fleet_after(registered(metadata={"weight": 2}))
    wrong = replace(beat(), left_out=(LeftOut(field="slots", why="is too small"),))
    fleet.pass_time(50)
    fleet.apply(wrong)
    fleet.apply(wrong)
    fleet.pass_time(50)
    assert fleet.status_of("ada") == "active"
    assert fleet.view(fleet.the("ada")).metadata == {
        "weight": 2,
        "problems": ["heartbeats: slots: is too small (left out)"],
    }
    (record,) = [one for one in caplog.records if "left out" in one.getMessage()]
    assert (record.__dict__["agent_id"], record.__dict__["field"]) == ("ada", "slots")
    fleet.apply(beat())
    assert fleet.view(fleet.the("ada")).metadata == {"weight": 2}


def test_a_heartbeat_with_a_word_that_is_no_status_counts_and_is_told() -> None:
    fleet = fleet_after(registered())
    fleet.apply(replace(beat(), data=beat().data.model_copy(update={"status": "on holiday"})))
    view = fleet.view(fleet.the("ada"))
    assert view.status == "active"
    (problem,) = view.metadata["problems"]
    assert problem.startswith("heartbeats: status: 'on holiday' is not one of: active, busy, ")


def test_heartbeats_without_a_number_all_count() -> None:
    fleet = fleet_after(registered(instance="i"))
    for _ in range(3):
        fleet.pass_time(50)
        fleet.apply(beat(instance="i"))
    assert fleet.status_of("ada") == "active"


def test_a_restart_with_the_same_instance_may_count_from_one_again() -> None:
    fleet = fleet_after(registered(instance="i"), beat(instance="i", sequence=70))
    fleet.pass_time(50)
    fleet.apply(registered(instance="i"))
    for sequence in (1, 2):
        fleet.pass_time(50)
        fleet.apply(beat(instance="i", sequence=sequence, slots=sequence))
    assert fleet.status_of("ada") == "active"
    assert fleet.the("ada").slots == 2


def test_who_cannot_be_understood_about_its_tasks_is_not_judged_by_them() -> None:
    fleet = fleet_after(registered(), beat(running=1, held=[]))
    assert fleet.the("ada").names_tasks
    unread = AgentHeartbeat(agent_id="ada")
    fleet.apply(Event(data=unread, left_out=(LeftOut(field="running.0.task_id", why="?"),)))
    assert not fleet.the("ada").names_tasks
    assert fleet.in_hand() == {}


def test_null_for_the_tasks_that_are_held_says_nothing_of_them() -> None:
    fleet = fleet_after(registered(), beat(running=1))
    fleet.apply(Event(data=AgentHeartbeat.model_validate({"agent_id": "ada", "held": None})))
    assert set(fleet.in_hand()) == {("task-0", 1)}


def test_heartbeats_without_a_time_say_nothing_of_the_clock() -> None:
    fleet = fleet_after(registered(instance="i"))
    for sequence in range(1, 6):
        fleet.apply(replace(beat(instance="i", sequence=sequence), dated=False))
    assert fleet.view(fleet.the("ada")).clock_skew_seconds is None
