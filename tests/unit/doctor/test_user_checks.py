"""What the doctor says of the users of agents."""

from __future__ import annotations

from dataclasses import replace

from coordinator.agent_users.agent_grant import AgentGrant
from coordinator.agent_users.agent_users import AgentUser
from coordinator.doctor.checks.finding import Finding, Level
from coordinator.doctor.checks.user_checks import check_agent_users
from coordinator.doctor.facts.fact_types import Facts
from tests.unit.doctor.healthy import HEALTHY, with_management

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
