"""When agents count as silent, and time that is nobody's silence."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.registry.fleet import (
    Fleet,
    beat,
    declared,
    fleet_after,
    registered,
    removed,
    restore,
    stopped,
)


def test_an_agent_is_stale_only_after_more_than_the_limit_of_silence() -> None:
    fleet = fleet_after(registered())
    fleet.pass_time(60)
    assert fleet.status_of("ada") == "active"
    fleet.pass_time(0.5)
    assert fleet.status_of("ada") == "stale"
    assert fleet.view(fleet.the("ada")).health_score == 0.0
    fleet.apply(beat())
    assert fleet.status_of("ada") == "active"


def test_silence_after_a_goodbye_is_no_news() -> None:
    fleet = fleet_after(registered("ada"), stopped("ada"), registered("bob"))
    fleet.pass_time(61)
    assert (fleet.status_of("ada"), fleet.status_of("bob")) == ("inactive", "stale")
    fleet.apply(registered("ada", seconds=62))
    assert fleet.status_of("ada") == "active"
    fleet.pass_time(61)
    assert fleet.status_of("ada") == "stale"


def test_a_declared_status_is_no_sign_of_life() -> None:
    fleet = fleet_after(registered())
    fleet.pass_time(61)
    fleet.apply(declared("active", seconds=61))
    assert fleet.status_of("ada") == "stale"


def test_time_in_which_this_process_does_not_hear_is_nobodys_silence() -> None:
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
