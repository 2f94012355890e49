"""What the user of an agent may do: exactly what an agent with what was granted has to."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.errors import InvalidRequest
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.registration import control_queue, request_key
from coordinator.protocol.messages.task_output import output_key
from coordinator.protocol.name_encoding import encode_word
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.topology import (
    CONTROL,
    EVENTS,
    LOG,
    OUTPUT,
    REQUESTS,
    TASKS,
    UNROUTED,
    WORK,
)

NAMES = st.sampled_from(["a", "b", "ab", "a b", "a.b", "a+b", "any", "x|y", "é"])
SETS = st.frozensets(NAMES, max_size=3)
IDS = st.sampled_from(["ada", "ada.b", "ad", "ada lovelace", "eve"])
TYPES = st.sampled_from(["worker", "inference", "work"])


def may_read(grant: AgentGrant, name: str) -> bool:
    return re.search(grant.permissions["read"], name) is not None


GRANTS = st.builds(
    AgentGrant,
    agent_id=IDS,
    agent_type=TYPES,
    capabilities=SETS.map(tuple),
    services=SETS.map(tuple),
    task_types=SETS.map(tuple),
    slots=st.integers(1, 500),
)
WANTED = st.builds(
    Requirements,
    agent_id=IDS | st.none(),
    agent_type=TYPES | st.none(),
    capabilities=SETS.map(tuple),
    services=SETS.map(tuple),
    task_type=NAMES | st.none(),
)


@given(grant=GRANTS, wanted=WANTED, long=st.booleans(), priority=st.sampled_from(Priority))
def test_an_agent_may_read_the_lanes_whose_tasks_it_may_do_and_no_others(
    grant: AgentGrant, wanted: Requirements, long: bool, priority: Priority
) -> None:
    profile = Profile(
        agent_id=grant.agent_id,
        agent_type=grant.agent_type,
        capabilities=frozenset(grant.capabilities),
        services=frozenset(grant.services),
        task_types=None,
    )
    does = wanted.task_type is None or wanted.task_type in (grant.task_types or [wanted.task_type])
    queue = TaskQueue(lane_name(wanted, long=long), priority).queue
    assert may_read(grant, queue) == (profile.satisfies(wanted) and does)


def test_an_agent_may_read_its_control_queues_and_nothing_that_is_the_coordinators() -> None:
    grant = AgentGrant(agent_id="ada")
    assert may_read(grant, control_queue("ada", "1"))
    others = [control_queue("eve", "1"), control_queue("ada.b", "1"), "live.host", "lock.moving"]
    others += ["output.host", OUTPUT]
    others += [
        CONTROL,
        EVENTS,
        LOG,
        REQUESTS,
        TASKS,
        UNROUTED,
        WORK,
        "wake.worker.0123456789abcdef",
    ]
    assert not [name for name in others if may_read(grant, name)]


def test_an_agent_publishes_events_in_its_own_name_alone_and_declares_nothing() -> None:
    grant = AgentGrant(agent_id="ada lovelace")
    word = encode_word("ada lovelace")
    assert grant.permissions["configure"] == "^$"
    written = re.compile(grant.permissions["write"])
    exchanges = (EVENTS, OUTPUT, TASKS, CONTROL, "amq.default", f"{EVENTS}x", f"{OUTPUT}x")
    assert [name for name in exchanges if written.search(name)] == [EVENTS, OUTPUT]
    of_events, of_output = grant.topic_permissions
    assert (of_events["exchange"], of_output["exchange"]) == (EVENTS, OUTPUT)
    keys = re.compile(of_events["write"])
    own = [f"task.{word}.completed", f"agent.{word}.heartbeat", request_key("ada lovelace")]
    assert all(keys.search(key) for key in own)
    others = [
        "task.eve.completed",
        "agent.eve.register",
        "source.any.opened",
        "ledger.~coordinator.marked",
    ]
    others += [
        f"task.{word}.dead.lettered",
        f"x.task.{word}.completed",
        "task.~broker.dead-lettered",
    ]
    assert not [key for key in others if keys.search(key)]
    keys = re.compile(of_output["write"])
    assert keys.search(output_key("ada lovelace"))
    others = [output_key("eve"), f"x.{output_key('ada lovelace')}", f"task.{word}.started"]
    assert not [key for key in others if keys.search(key)]


@given(grant=GRANTS)
def test_what_was_granted_is_read_from_the_tags_of_the_user(grant: AgentGrant) -> None:
    assert not [tag for tag in grant.tags if "," in tag]
    assert AgentGrant.of_tags(reversed(grant.tags)) == grant


@pytest.mark.parametrize("tags", [["administrator"], [], ["agent-coordinator-agent", "slots:many"]])
def test_a_user_whose_tags_do_not_say_what_was_granted_is_no_agents(tags: list[str]) -> None:
    assert AgentGrant.of_tags(tags) is None


def test_what_no_agent_can_have_is_refused_with_its_name() -> None:
    for wrong in ({"agent_id": ""}, {"agent_id": "a\n"}, {"agent_id": "a", "slots": 0}):
        with pytest.raises(InvalidRequest):
            AgentGrant(**wrong)
    with pytest.raises(InvalidRequest, match="more than RabbitMQ takes"):
        AgentGrant(agent_id="é" * 100)
