"""Tasks in the hands of an agent, as far as its heartbeats name them."""

from __future__ import annotations

from datetime import timedelta

from coordinator.protocol.messages.events import AgentHeartbeat, Event, HeldTask
from tests.unit.registry.fleet import (
    beat,
    fleet_after,
    registered,
)


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
