"""All agents in memory: what is told of them, and when they count as silent."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.agent_statuses import AgentStatus
from coordinator.protocol.json_values.lenient_reading import LeftOut
from coordinator.protocol.messages.events import AgentHeartbeat, Event, HeldTask
from coordinator.registry.agents.in_memory.agent_index import AgentIndex
from coordinator.registry.agents.in_memory.known_agent import KnownAgent
from coordinator.registry.agents.in_memory.live_agents import LiveAgents
from tests.unit.domain.histories import START
from tests.unit.registry.fleet import (
    STALE_AFTER,
    Fleet,
    beat,
    declared,
    registered,
    removed,
    stopped,
)


def fleet_after(*events: Event) -> Fleet:
    fleet = Fleet()
    for event in events:
        fleet.apply(event)
    return fleet


# --- what is told -----------------------------------------------------------------------------


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
    assert (view.slots, view.running) == (4, ["task-0"])
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


# --- silence ----------------------------------------------------------------------------------


def test_an_agent_is_stale_only_after_more_than_the_limit_of_silence() -> None:
    fleet = fleet_after(registered())
    fleet.pass_time(60)
    assert fleet.status_of("ada") == "active"
    fleet.pass_time(0.5)
    assert fleet.status_of("ada") == "stale"
    assert fleet.view(fleet.the("ada")).health_score == 0.0
    fleet.apply(beat())
    assert fleet.status_of("ada") == "active"


def test_a_declared_status_is_no_sign_of_life() -> None:
    fleet = fleet_after(registered())
    fleet.pass_time(61)
    fleet.apply(declared("active", seconds=61))
    assert fleet.status_of("ada") == "stale"


def test_time_in_which_this_process_does_not_listen_is_nobodys_silence() -> None:
    fleet = fleet_after(registered())
    fleet.pass_time(50)
    fleet.stop_hearing()
    fleet.pass_time(3600)
    assert fleet.status_of("ada") == "active"
    fleet.start_hearing()
    fleet.pass_time(10)
    assert fleet.status_of("ada") == "active"
    fleet.pass_time(1)
    assert fleet.status_of("ada") == "stale"


def test_a_process_that_stood_still_makes_nobody_stale() -> None:
    fleet = fleet_after(registered())
    fleet.clock.seconds += 3600
    assert fleet.status_of("ada") == "active"


def test_a_jump_of_the_wall_clock_makes_nobody_stale() -> None:
    fleet = fleet_after(registered())
    fleet.clock.wall += timedelta(days=400)
    fleet.pass_time(1)
    assert fleet.status_of("ada") == "active"
    fleet.clock.wall -= timedelta(days=800)
    fleet.apply(beat())
    assert fleet.status_of("ada") == "active"


def test_a_restart_goes_on_from_the_silence_of_the_last_snapshot() -> None:
    before = fleet_after(registered("ada"), registered("bob"))
    before.pass_time(50)
    before.apply(beat("bob"))
    after = Fleet()
    for known in before.changed():
        after.restore(
            known.agent,
            heartbeat=known.heartbeat,
            load_metrics=known.load_metrics,
            heard_at=known.heard_at,
            silence=before.silence(known),
        )
    after.restored()
    assert (after.status_of("ada"), after.status_of("bob")) == ("active", "active")
    after.pass_time(11)
    assert (after.status_of("ada"), after.status_of("bob")) == ("stale", "active")


def test_what_is_restored_does_not_replace_what_was_heard_since() -> None:
    fleet = fleet_after(registered(seconds=5, capabilities=["new"]), declared("busy", seconds=9))
    older = fleet_after(registered(seconds=0, capabilities=["old"]), declared("error", seconds=1))
    restore(fleet, older.the("ada"), silence=timedelta(hours=2))
    assert fleet.status_of("ada") == "busy"
    assert [one.agent_id for one in fleet.find(capabilities=["new"])] == ["ada"]
    assert fleet.find(capabilities=["old"]) == []


def test_what_was_removed_here_is_not_restored() -> None:
    fleet = fleet_after(registered(), removed(seconds=2))
    restore(fleet, fleet_after(registered(seconds=1)).the("ada"))
    assert "ada" not in fleet


def test_the_longest_silent_are_named_first() -> None:
    fleet = Fleet()
    for agent_id in ("ada", "bob", "cid"):
        fleet.apply(registered(agent_id))
        fleet.pass_time(100)
    fleet.apply(beat("bob"))
    fleet.pass_time(61)
    assert fleet.silent_for(timedelta(seconds=200)) == ["ada"]
    assert fleet.silent_for(timedelta(seconds=100)) == ["ada", "cid"]
    assert fleet.silent_for(timedelta(seconds=3600)) == []


# --- two processes under one id ---------------------------------------------------------------


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


# --- clocks -----------------------------------------------------------------------------------


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


def test_transit_and_waiting_for_this_process_to_listen_are_no_skew() -> None:
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


# --- two processes under one id, noticed -------------------------------------------------------


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


# --- discovery --------------------------------------------------------------------------------


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


def restore(fleet: Fleet, known: KnownAgent, silence: timedelta = timedelta()) -> None:
    fleet.restore(
        known.agent, heartbeat=None, load_metrics=None, heard_at=known.heard_at, silence=silence
    )
    fleet.restored()


# --- what agents say they have ----------------------------------------------------------------


def test_what_runs_and_what_is_only_held_is_in_hand_of_whoever_was_heard_lately() -> None:
    fleet = fleet_after(
        registered(), beat(running=1, held=[HeldTask(task_id="waits", generation=2)])
    )
    assert fleet.in_hand() == {("task-0", 1), ("waits", 2)}
    fleet.pass_time(20)
    assert fleet.in_hand(heard_within=timedelta(seconds=19)) == set()
    assert fleet.in_hand(heard_within=timedelta(seconds=21)) == fleet.in_hand() != set()


def test_an_agent_names_its_tasks_if_it_promised_so_or_has_named_one() -> None:
    fleet = fleet_after(registered(), beat())
    assert not fleet.the("ada").names_tasks
    fleet.apply(beat(held=[]))
    assert fleet.the("ada").names_tasks
    fleet.apply(beat(running=1))
    fleet.apply(beat())
    assert fleet.the("ada").names_tasks


def test_another_process_of_an_agent_has_said_nothing_yet() -> None:
    fleet = fleet_after(registered(instance="a"), beat(running=1, instance="a", sequence=1))
    fleet.apply(beat(instance="b", sequence=1))
    assert not fleet.the("ada").names_tasks
    fleet.apply(beat(running=1, instance="b", sequence=2))
    fleet.apply(registered(seconds=9, instance="c"))
    assert not fleet.the("ada").names_tasks
    assert fleet.in_hand() == set()


def test_a_heartbeat_without_a_list_takes_nothing_back() -> None:
    """Such as one over HTTP."""
    fleet = fleet_after(registered(), beat(running=1))
    fleet.apply(Event(data=AgentHeartbeat(agent_id="ada")))
    assert fleet.in_hand() == {("task-0", 1)}


# --- heartbeats of other clients --------------------------------------------------------------


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
    assert (record.__dict__["agent"], record.__dict__["field"]) == ("ada", "slots")
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
    assert fleet.in_hand() == set()


def test_null_for_the_tasks_that_are_held_says_nothing_of_them() -> None:
    fleet = fleet_after(registered(), beat(running=1))
    fleet.apply(Event(data=AgentHeartbeat.model_validate({"agent_id": "ada", "held": None})))
    assert fleet.in_hand() == {("task-0", 1)}


def test_heartbeats_without_a_time_say_nothing_of_the_clock() -> None:
    fleet = fleet_after(registered(instance="i"))
    for sequence in range(1, 6):
        fleet.apply(replace(beat(instance="i", sequence=sequence), dated=False))
    assert fleet.view(fleet.the("ada")).clock_skew_seconds is None
