"""What the doctor says of the users of agents."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from coordinator.agent_users.agent_grant import CONTROL_POLICY, AgentGrant, control_policy
from coordinator.agent_users.agent_users import AgentUser, read_users
from coordinator.doctor.checks.finding import Finding, Level
from coordinator.doctor.checks.user_checks import USER_CHECKS, check_agent_users
from coordinator.doctor.facts.fact_types import Facts, ManagementFacts, Policy
from coordinator.protocol.requirements import Profile, Requirements
from coordinator.registry.ledger.inspection_results import KnownUsers
from tests.unit.doctor.healthy import HEALTHY, with_management, with_state

ADA = AgentGrant(agent_id="ada lovelace", capabilities=("gpu",))


def found(facts: Facts) -> list[Finding]:
    return list(check_agent_users(facts))


def test_without_users_for_agents_nothing_is_said() -> None:
    assert found(HEALTHY) == []
    assert found(with_management(agent_users=(), is_administrator=True)) == []


def test_users_as_granted_are_told_as_well() -> None:
    [one] = found(with_management(agent_users=(AgentUser(grant=ADA),), is_administrator=False))
    assert one.level is Level.OK
    assert "1 agent has a user" in one.text


def test_each_right_that_drifted_is_told_with_the_command_that_puts_it_right() -> None:
    user = AgentUser(grant=ADA, drift=("its write permission is .*",))
    [one] = found(with_management(agent_users=(user,)))
    assert one.level is Level.PROBLEM
    assert "ada lovelace is not as granted: its write permission is .*" in one.text
    assert one.fix == (
        "coordinator agents add 'ada lovelace' --type worker --capability gpu --slots 24"
    )


def test_a_coordinator_that_administers_the_broker_is_warned_of_where_agents_do_not() -> None:
    facts = with_management(agent_users=(AgentUser(grant=ADA),), is_administrator=True)
    levels = [one.level for one in found(facts)]
    assert levels == [Level.OK, Level.WARNING]
    assert isinstance(facts.management, type(HEALTHY.management))
    assert found(replace(facts, management="it does not answer")) == []


# --- what the broker's rows say -----------------------------------------------------------------

OF_EVENTS, OF_OUTPUT = ADA.topic_permissions
ROWS: dict[str, Any] = {
    "users": {"name": ADA.user, "tags": list(ADA.tags)},
    "permissions": {"user": ADA.user, **ADA.permissions},
    "topics": {"user": ADA.user, **OF_EVENTS},
    "output": {"user": ADA.user, **OF_OUTPUT},
    "limits": {"user": ADA.user, "value": dict(ADA.limits)},
}


def drift(**changes: dict[str, Any] | None) -> tuple[str, ...]:
    """Of the user of `ada`, with other rows; None for none."""
    rows = {
        kind: [] if changes.get(kind, {}) is None else [row | (changes.get(kind) or {})]
        for kind, row in ROWS.items()
    }
    topics = rows["topics"] + rows["output"]
    [user] = read_users(rows["users"], rows["permissions"], topics, rows["limits"])
    return user.drift


def test_a_user_as_granted_has_no_drift() -> None:
    assert drift() == ()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"users": {"tags": [*ADA.tags, "impersonator"]}}, "it has the tag impersonator"),
        (
            {"users": {"tags": ",".join([*ADA.tags, "administrator"])}},
            "it has the tag administrator",
        ),
        ({"limits": None}, "its limit max-connections is none, and was to be 4"),
        (
            {"limits": {"value": {"max-connections": 4, "max-channels": 2000}}},
            "its limit max-channels is 2000, and was to be 32",
        ),
        ({"topics": None}, "is none, so that it speaks for anybody"),
        ({"topics": {"write": ".*"}}, "its topic permission to write to coordinator.events is .*"),
        ({"topics": {"read": ".*"}}, "its topic permission to read from coordinator.events is .*"),
        ({"output": None}, "to coordinator.output is none, so that it speaks for anybody"),
        ({"output": {"write": ".*"}}, "its topic permission to write to coordinator.output is .*"),
        ({"permissions": {"read": ".*"}}, "its read permission is .*"),
    ],
)
def test_each_right_that_is_other_than_granted_is_told(changes: dict[str, Any], told: str) -> None:
    found = drift(**changes)
    assert [one for one in found if one.endswith(told)] == [found[0]]


# --- the policy for control queues --------------------------------------------------------------

POLICY = Policy(
    name=CONTROL_POLICY,
    pattern=str(control_policy()["pattern"]),
    apply_to="queues",
    definition={"max-length": 1000, "max-length-bytes": 16 * 1024**2, "expires": 60_000},
)
ADAS_USER = AgentUser(grant=ADA, read=ADA.permissions["read"])


def complaints(facts: Facts) -> list[Finding]:
    """Of all checks of users, those that are not fine."""
    found = [one for check in USER_CHECKS for one in check(facts)]
    return [one for one in found if one.level is not Level.OK]


def of_ada(**changes: Any) -> Facts:
    """A system in which `ada` has a user and is registered, and all is well."""
    given: dict[str, Any] = {
        "agent_users": (ADAS_USER,),
        "powers": {ADA.user: (), "hub": ("administrator",)},
        "policies": (POLICY,),
    }
    known = Profile(agent_id="ada lovelace", agent_type="worker", capabilities=frozenset({"gpu"}))
    ledger = with_state(users=KnownUsers(agents=(known,))).ledger
    return replace(with_management(**given | changes), ledger=ledger)


def knowing(facts: Facts, **changes: Any) -> Facts:
    """The ledger knows something else of users."""
    assert facts.ledger.state is not None
    users = replace(facts.ledger.state.users, **changes)
    return replace(
        facts, ledger=replace(facts.ledger, state=replace(facts.ledger.state, users=users))
    )


def test_where_all_is_as_it_should_be_nothing_is_told() -> None:
    assert complaints(of_ada()) == []


def test_control_queues_that_no_policy_bounds_are_told_with_the_policy() -> None:
    [one] = complaints(of_ada(policies=()))
    assert one.level is Level.PROBLEM
    assert "max-length is not set, and was to be 1000 at most" in one.text
    assert f"/api/policies/fleet/{CONTROL_POLICY}" in (one.fix or "")


def test_a_policy_that_is_wider_or_applies_in_its_place_is_told() -> None:
    wider = replace(POLICY, definition={**POLICY.definition, "max-length": 10**6})
    [one] = complaints(of_ada(policies=(wider,)))
    assert "max-length is 1000000, and was to be 1000 at most" in one.text
    other = Policy(name="everything", pattern="", definition={"max-length": 10}, priority=7)
    [one] = complaints(of_ada(policies=(POLICY, other)))
    assert "The policy everything applies to control queues in the place of" in one.text
    assert '"priority": 8' in (one.fix or "")
    narrower = replace(POLICY, definition={**POLICY.definition, "max-length": 10})
    assert complaints(of_ada(policies=(narrower,))) == []


# --- whose they are ------------------------------------------------------------------------------


def test_a_user_of_an_agent_that_is_registered_nowhere_is_warned_of() -> None:
    [one] = complaints(knowing(of_ada(), agents=()))
    assert one.level is Level.WARNING
    assert "ada lovelace" in one.text
    assert (one.fix or "").endswith("coordinator agents remove 'ada lovelace'")


def test_lanes_that_an_agent_is_offered_and_may_not_read_are_told_with_what_grants_them() -> None:
    lanes = {
        "any": Requirements(),
        "cap:gpu": Requirements(capabilities=("gpu",)),
        "cap:gpu+svc:files": Requirements(capabilities=("gpu",), services=("files",)),
        "svc:other": Requirements(services=("other",)),
    }
    facts = of_ada()
    known = Profile(
        agent_id="ada lovelace",
        agent_type="worker",
        capabilities=frozenset({"gpu"}),
        services=frozenset({"files"}),
    )
    [one] = complaints(knowing(facts, agents=(known,), lanes=lanes))
    assert one.level is Level.WARNING
    assert "may not read 1 lane that the agent is offered" in one.text
    assert one.text.endswith("cap:gpu+svc:files")
    assert "--capability gpu --service files" in (one.fix or "")


# --- users of other names ------------------------------------------------------------------------


def test_a_user_that_was_entered_and_that_the_broker_does_not_have_is_warned_of() -> None:
    [one] = complaints(knowing(of_ada(), entered=(("hub", ""), ("team", "bob"), ("team", "carol"))))
    assert one.level is Level.WARNING
    assert one.fix == "coordinator agents remove bob carol --user team"


def test_an_agents_user_that_was_entered_as_a_coordinators_is_a_problem() -> None:
    [one] = complaints(knowing(of_ada(), entered=(("hub", ""), (ADA.user, ""))))
    assert one.level is Level.PROBLEM
    assert "is entered as a coordinator's" in one.text
    assert one.fix == f"coordinator agents remove --user {shlex.quote(ADA.user)}"


def test_a_user_that_speaks_for_an_agent_has_no_tag_that_rabbitmq_knows() -> None:
    powers = {ADA.user: (), "team": ("impersonator",), "bob": ("monitoring",)}
    entered = knowing(of_ada(powers=powers), entered=(("team", "carol"),))
    [one] = complaints(entered)
    assert one.level is Level.PROBLEM
    assert "team, which speaks for the agent carol, has the tag impersonator" in one.text
    assert one.fix == "rabbitmqctl set_user_tags team"
    assert isinstance(entered.management, ManagementFacts)
    bob = Profile(agent_id="bob", agent_type="worker")
    by_its_name = knowing(of_ada(powers=powers), agents=(bob,))
    assert [one.text for one in complaints(by_its_name) if "monitoring" in one.text] == []
    required = replace(by_its_name, require_identity=True)
    assert [one.text for one in complaints(required) if "monitoring" in one.text] != []
