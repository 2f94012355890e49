"""What events make of an agent's registration and declared status."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.agent import Agent, fold_agent
from coordinator.domain.agent_statuses import AgentStatus, check_agent_type, check_status
from coordinator.errors import InvalidRequest
from coordinator.protocol.messages.events import (
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


def declared(seconds: float, status: str, instance: str | None = None) -> Event:
    data = AgentStatusChanged(agent_id="ada", status=status, instance=instance)
    return Event(time=START + timedelta(seconds=seconds), data=data)


def stopped(seconds: float, instance: str | None = None) -> Event:
    data = AgentStopped(agent_id="ada", instance=instance)
    return Event(time=START + timedelta(seconds=seconds), data=data)


def removed(seconds: float, instance: str | None = None) -> Event:
    data = AgentRemoved(agent_id="ada", instance=instance)
    return Event(time=START + timedelta(seconds=seconds), data=data)


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


def test_the_last_statement_in_the_log_wins_whatever_its_clock_says() -> None:
    statements = (declared(3, "maintenance"), declared(2, "error"), declared(-20, "busy"))
    assert status_after(registered(0), *statements) is AgentStatus.BUSY


def test_a_restart_counts_though_the_first_process_had_a_clock_that_was_ahead() -> None:
    ahead = registered(20, "a"), stopped(21, "a")
    assert status_after(*ahead, registered(2, "b")) is AgentStatus.ACTIVE


def test_a_goodbye_in_whole_seconds_counts_in_the_second_of_the_drain() -> None:
    """As `date` and other languages tell the time: cut, and so before what it follows."""
    assert status_after(registered(0.2, "a"), stopped(0, "a")) is AgentStatus.INACTIVE
    drained = registered(0.2, "a"), declared(0.7, "draining", "a")
    assert status_after(*drained, stopped(0, "a")) is AgentStatus.INACTIVE


@pytest.mark.parametrize("status", sorted({*AgentStatus} - {"active", "maintenance"}))
def test_what_is_declared_of_a_process_does_not_concern_the_next(status: str) -> None:
    """Though it comes after the next has registered."""
    assert (
        status_after(registered(0, "a"), registered(1, "b"), declared(2, status, "a")) == "active"
    )


def test_what_is_said_without_naming_a_process_counts_for_the_one_that_is_there() -> None:
    assert status_after(registered(0, "a"), stopped(1)) is AgentStatus.INACTIVE
    assert status_after(registered(0), stopped(1, "a")) is AgentStatus.INACTIVE
    assert status_after(registered(0, "a"), stopped(1), registered(2)) is AgentStatus.ACTIVE
    assert status_after(registered(0, "a"), declared(1, "draining")) is AgentStatus.DRAINING


def test_a_removal_for_the_silence_of_one_process_leaves_the_next() -> None:
    assert after(registered(0, "a"), removed(9, "a")) is None
    assert after(registered(0, "a"), registered(8, "b"), removed(9, "a")) is not None
    assert after(registered(0, "a"), registered(8, "b"), removed(9)) is None


def test_a_registration_counts_after_a_removal_whatever_its_clock_says() -> None:
    assert after(registered(20, "a"), removed(21), registered(5, "b")) is not None


statements = st.one_of(
    st.builds(registered, st.integers(-99, 99), st.sampled_from([None, "a", "b"])),
    st.builds(stopped, st.integers(-99, 99), st.sampled_from([None, "a", "b"])),
    st.builds(
        declared,
        st.integers(-99, 99),
        st.sampled_from(["busy", "draining", "active", "maintenance"]),
        st.sampled_from([None, "a", "b"]),
    ),
    st.builds(removed, st.integers(-99, 99), st.sampled_from([None, "a"])),
)


@given(st.lists(statements, max_size=8), st.lists(st.integers(-(10**6), 10**6), min_size=8))
def test_no_clock_changes_what_becomes_of_an_agent(events: list[Event], clocks: list[int]) -> None:
    others = [
        replace(event, time=START + timedelta(seconds=seconds))
        for event, seconds in zip(events, clocks, strict=False)
    ]
    one, other = after(*events), after(*others)
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert (one.registration, one.declared, one.statement) == (
            other.registration,
            other.declared,
            other.statement,
        )


def test_the_words_are_checked_with_a_sentence_that_names_the_others() -> None:
    assert check_status(" Busy ") is AgentStatus.BUSY
    assert check_agent_type("poet", ["poet"]) == "poet"
    with pytest.raises(InvalidRequest, match="'on-fire' is not one of: active"):
        check_status("on-fire")
    with pytest.raises(InvalidRequest, match="'poet' is not one of: worker"):
        check_agent_type("poet")
