"""What events make of an agent's registration and declared status."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.agent import Agent, fold_agent, latest
from coordinator.domain.agent_words import AgentStatus, check_agent_type, check_status
from coordinator.errors import InvalidRequest
from coordinator.protocol.events import (
    AgentRegistered,
    AgentRemoved,
    AgentStatusChanged,
    AgentStopped,
    Event,
)
from tests.unit.domain.histories import START


def registered(seconds: float, instance: str | None = None, **more: Any) -> Event:
    given: dict[str, Any] = {"agent_id": "ada", "agent_type": "worker", "instance": instance}
    return Event(
        time=START + timedelta(seconds=seconds), data=AgentRegistered.model_validate(given | more)
    )


def declared(seconds: float, status: str) -> Event:
    data = AgentStatusChanged(agent_id="ada", status=status)
    return Event(time=START + timedelta(seconds=seconds), data=data)


def stopped(seconds: float, instance: str | None = None) -> Event:
    data = AgentStopped(agent_id="ada", instance=instance)
    return Event(time=START + timedelta(seconds=seconds), data=data)


def removed(seconds: float) -> Event:
    return Event(time=START + timedelta(seconds=seconds), data=AgentRemoved(agent_id="ada"))


def after(*events: Event) -> Agent | None:
    agent: Agent | None = None
    for event in events:
        agent = fold_agent(agent, event)
    return agent


def status_after(*events: Event) -> AgentStatus:
    agent = after(*events)
    assert agent is not None
    return agent.declared


def test_a_registration_replaces_the_one_before_and_keeps_its_first_time() -> None:
    agent = after(registered(0), registered(5, capabilities=["gpu"]))
    assert agent is not None
    assert agent.registration.capabilities == ["gpu"]
    assert agent.registered_at == START
    again = after(registered(0), removed(1), registered(5))
    assert again is not None
    assert again.registered_at == START + timedelta(seconds=5)


@pytest.mark.parametrize("status", [str(status) for status in AgentStatus])
def test_every_status_may_be_declared(status: str) -> None:
    assert status_after(registered(0), declared(1, status)) == status


def test_an_unknown_status_changes_nothing() -> None:
    assert status_after(registered(0), declared(1, "on-fire")) is AgentStatus.ACTIVE


def test_what_is_said_of_an_agent_that_nobody_knows_is_let_go() -> None:
    assert after(declared(1, "busy"), stopped(2), removed(3)) is None


def test_a_goodbye_counts_only_for_the_process_that_registered_last() -> None:
    assert status_after(registered(0, "a"), stopped(1, "a")) is AgentStatus.INACTIVE
    assert status_after(registered(0, "b"), stopped(1, "a")) is AgentStatus.ACTIVE


@pytest.mark.parametrize(
    ("before", "same_process", "new_process"),
    [
        ("maintenance", "maintenance", "maintenance"),
        ("degraded", "degraded", "active"),
        ("inactive", "active", "active"),
        ("active", "active", "active"),
    ],
)
def test_a_new_process_starts_afresh_but_for_maintenance(
    before: str, same_process: str, new_process: str
) -> None:
    history = (registered(0, "a"), declared(1, before))
    assert status_after(*history, registered(2, "a")) == same_process
    assert status_after(*history, registered(2, "b")) == new_process


def test_the_latest_statement_wins_whatever_order_they_come_in() -> None:
    statements = (declared(1, "busy"), declared(2, "error"), declared(3, "maintenance"))
    for order in itertools.permutations(statements):
        assert status_after(registered(0), *order) is AgentStatus.MAINTENANCE


def test_what_is_older_than_the_registration_does_not_remove_it() -> None:
    assert after(registered(5), removed(4)) is not None


@given(
    st.lists(
        st.sampled_from(
            [declared(1, "busy"), declared(2, "error"), registered(3), declared(4, "draining")]
        ),
        max_size=6,
    )
)
def test_an_event_that_comes_twice_changes_nothing(events: list[Event]) -> None:
    agent = after(registered(0), *events)
    for event in events[-1:]:
        assert fold_agent(agent, event) == agent


def test_two_memories_are_merged_statement_by_statement() -> None:
    mine = after(registered(0), declared(9, "busy"))
    theirs = after(registered(5, capabilities=["gpu"]), declared(6, "error"))
    assert mine is not None
    assert theirs is not None
    merged = latest(mine, theirs)
    assert merged.registration.capabilities == ["gpu"]
    assert merged.declared is AgentStatus.BUSY
    assert latest(merged, merged) is merged


def test_the_words_are_checked_with_a_sentence_that_names_the_others() -> None:
    assert check_status(" Busy ") is AgentStatus.BUSY
    assert check_agent_type("poet", ["poet"]) == "poet"
    with pytest.raises(InvalidRequest, match="'on-fire' is not one of: active"):
        check_status("on-fire")
    with pytest.raises(InvalidRequest, match="'poet' is not one of: worker"):
        check_agent_type("poet")
