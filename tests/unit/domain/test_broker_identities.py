"""Which user of the broker may say what."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator.domain.broker_identities import ANYBODY, BrokerIdentities
from coordinator.errors import ForgedIdentity
from coordinator.protocol.messages.events import (
    AgentHeartbeat,
    AgentRegistered,
    EventData,
    LedgerMarked,
    SourceRetired,
    TaskStarted,
)
from coordinator.protocol.priority import Priority
from tests.unit.domain.histories import cancelled, dead_lettered, submitted

KNOWN = BrokerIdentities(
    required=True,
    coordinators=frozenset({"hub", "bob"}),
    agents={"team": frozenset({"carol", "dave"}), "erin": frozenset({"frank"})},
)


def started(agent_id: str) -> EventData:
    return TaskStarted(task_id="t", agent_id=agent_id)


@pytest.mark.parametrize(
    ("agent_id", "user", "may"),
    [
        ("ada", "ada", True),
        ("ada@home", "ada__40home", True),
        ("ada@home", "ada@home", False),
        ("ada", "Ada", False),
        ("ada", "hub", False),
        ("ada", "team", False),
        ("carol", "team", True),
        ("dave", "team", True),
        ("carol", "carol", True),
        ("frank", "erin", True),
        ("erin", "erin", False),
        ("bob", "bob", False),
        ("ada", None, False),
    ],
)
def test_an_agent_has_the_user_that_is_called_as_it_is_or_was_entered_for_it(
    agent_id: str, user: str | None, may: bool
) -> None:
    assert KNOWN.may_speak_for(agent_id, user) is may
    assert (_refusal(started(agent_id), user) is None) is may


COORDINATORS: list[EventData] = [
    submitted().data,
    dead_lettered("rejected").data,
    cancelled().data,
    LedgerMarked(),
    SourceRetired(lane="any", priority=Priority.LOW),
]


@pytest.mark.parametrize("data", COORDINATORS, ids=lambda data: data.TYPE)
def test_what_coordinators_say_comes_from_a_coordinators_user(data: EventData) -> None:
    KNOWN.check(data, "hub")
    for user in ("ada", "team", "", None):
        assert _refusal(data, user) is not None


@pytest.mark.parametrize("kind", [AgentRegistered, AgentHeartbeat])
def test_a_coordinator_speaks_for_agents_of_themselves_and_never_of_tasks(kind: Any) -> None:
    about = {"agent_type": "worker"} if kind is AgentRegistered else {}
    KNOWN.check(kind(agent_id="ada", **about), "hub")

    assert _refusal(started("ada"), "hub") is not None


def test_that_an_agent_is_registered_is_a_coordinators_word() -> None:
    """Which has looked at what the agent says of itself, and says who asked for it."""
    registered = AgentRegistered(agent_id="ada", agent_type="worker", registered_by="key:ops")
    KNOWN.check(registered, "hub")
    for user in ("ada", "team", None):
        assert _refusal(registered, user) is not None


def test_a_refusal_says_who_it_was_or_what_to_set() -> None:
    assert "'mallory', who is not that agent's" in str(_refusal(started("ada"), "mallory"))
    assert "COORDINATOR_REQUIRE_IDENTITY" in str(_refusal(started("ada"), None))


def test_nobody_is_asked_where_identity_is_not_required() -> None:
    for data in (*COORDINATORS, started("ada")):
        for user in (None, "mallory"):
            ANYBODY.check(data, user)
    assert ANYBODY.may_speak_for("ada", None)


def _refusal(data: EventData, user: str | None) -> ForgedIdentity | None:
    try:
        KNOWN.check(data, user)
    except ForgedIdentity as exc:
        return exc
    return None


def test_it_is_said_why_a_user_may_not_speak_for_an_agent() -> None:
    assert KNOWN.why_not("ada", "ada") is None
    assert KNOWN.why_not("carol", "team") is None
    assert ANYBODY.why_not("ada", None) is None
    assert "'team' is not this agent's" in (KNOWN.why_not("ada", "team") or "")
    assert "user_id" in (KNOWN.why_not("ada", None) or "")
