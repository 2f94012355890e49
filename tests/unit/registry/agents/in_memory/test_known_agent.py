"""Tasks in the hands of an agent, as far as its heartbeats name them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from coordinator.domain.task import ANY_ATTEMPT, Task
from coordinator.protocol.messages.events import AgentHeartbeat, Event, HeldTask
from coordinator.protocol.task_token import task_token
from coordinator.registry.agents.in_memory.named_tasks import NamedTasks
from tests.unit.registry.fleet import (
    beat,
    fleet_after,
    registered,
)


def test_what_runs_and_what_is_only_held_is_in_hand_of_whoever_was_heard_lately() -> None:
    fleet = fleet_after(
        registered(), beat(running=1, held=[HeldTask(task_id="waits", generation=2)])
    )
    assert set(fleet.in_hand()) == {("task-0", 1), ("waits", 2)}
    fleet.pass_time(20)
    assert fleet.in_hand(heard_within=timedelta(seconds=19)) == {}
    assert fleet.in_hand(heard_within=timedelta(seconds=21)) == fleet.in_hand() != {}


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
    assert fleet.in_hand() == {}


def test_a_heartbeat_without_a_list_takes_nothing_back() -> None:
    """Such as one over HTTP."""
    fleet = fleet_after(registered(), beat(running=1))
    fleet.apply(Event(data=AgentHeartbeat(agent_id="ada")))
    assert set(fleet.in_hand()) == {("task-0", 1)}


SECRET = b"of the tests"


def token(task_id: str = "t", attempt: int = 1) -> str:
    return task_token(SECRET, task_id, 1, attempt)


def names(agent_id: str = "ada", **task: Any) -> Event:
    return beat(agent_id, held=[HeldTask(task_id="t", **task)])


def test_where_tokens_are_asked_for_a_task_is_in_the_hands_of_whoever_has_its_token() -> None:
    fleet = fleet_after(registered(), registered("eve"), named=NamedTasks(SECRET))
    fleet.apply(names("eve"))
    fleet.apply(names("eve", task_token=token("another")))
    assert fleet.in_hand() == {}
    assert fleet.claimed() == {("t", 1): {"eve"}}
    fleet.apply(names(task_token=token()))
    assert fleet.in_hand() == {("t", 1): 1}


@pytest.mark.parametrize(
    ("said", "has"),
    [
        ({"attempt": 1}, 1),
        ({"attempt": 2, "crashes": 1}, 1),  # after an agent was lost with the message
        ({"attempt": 2}, None),
        ({"attempt": 1, "crashes": 1}, None),
        ({"attempt": 1, "crashes": -1}, None),
        ({"attempt": 0}, None),
        ({"attempt": 1000, "crashes": 999}, None),
        ({"attempt": 1, "generation": 2}, None),
    ],
)
def test_a_token_proves_the_attempt_of_its_message_and_no_other(
    said: dict[str, Any], has: int | None
) -> None:
    fleet = fleet_after(registered(), named=NamedTasks(SECRET))
    fleet.apply(names(task_token=token(attempt=1), **said))
    assert fleet.in_hand() == ({} if has is None else {("t", 1): has})
    problems = fleet.view(fleet.the("ada")).metadata.get("problems", [])
    assert [one for one in problems if "does not count as in its hands" in one] == problems
    assert bool(problems) is (has is None)
    assert fleet.the("ada").names_tasks


def test_an_earlier_attempt_in_hand_is_not_the_newest() -> None:
    task = Task(task_id="t", attempt=2, published=2)
    assert not task.is_in({("t", 1): 1})
    assert task.is_in({("t", 1): 2})
    assert task.is_in({("t", 1): ANY_ATTEMPT})
    assert not Task(task_id="t").is_in({})


def test_an_agent_says_which_queues_it_may_not_read() -> None:
    fleet = fleet_after(registered(), beat(unreadable=["tasks.cap:gpu.high"]))
    ada = fleet.the("ada")
    assert (ada.may_read("tasks.cap:gpu.high"), ada.may_read("tasks.any.high")) == (False, True)
    assert (ada.may_read_lane("cap:gpu"), ada.may_read_lane("cap:gp")) == (False, True)
    fleet.apply(beat())
    assert ada.may_read("tasks.cap:gpu.high")
