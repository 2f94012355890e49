"""Counting the agents that were lost with a task in hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from consumers._working.crash_loop import counted, crash_loop
from consumers._working.give_back_limit import GIVE_BACKS
from coordinator.broker.channel import Channel, Delivery
from coordinator.protocol.message import Message
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority


def delivery(**headers: int) -> Delivery:
    named: dict[str, Any] = {f"x-{name.replace('_', '-')}": n for name, n in headers.items()}
    return Delivery(
        message=Message(body=b"", headers=named),
        exchange="",
        routing_key="",
        redelivered=bool(headers),
        tag=1,
        channel=cast("Channel", None),
    )


def message(attempt: int = 1, max_attempts: int = 3) -> TaskMessage:
    return TaskMessage(
        task_id="t",
        attempt=attempt,
        max_attempts=max_attempts,
        task_data={},
        priority=Priority.NORMAL,
        submitted_at=datetime.now(UTC),
        task_token="token",
    )


@pytest.mark.parametrize(
    ("attempt", "returns", "number", "dead"),
    [
        (1, 0, 1, False),
        (1, GIVE_BACKS, 1, False),  # may have been given back, each time
        (1, GIVE_BACKS + 1, 2, False),
        (1, GIVE_BACKS + 2, 3, False),
        (1, GIVE_BACKS + 3, 3, True),
        (3, 0, 3, False),
        (3, GIVE_BACKS, 3, False),
        (3, GIVE_BACKS + 1, 3, True),
        (4, 0, 4, False),  # only crashes make it hopeless
        (4, GIVE_BACKS + 1, 4, True),
    ],
)
def test_returns_beyond_those_of_busy_agents_are_attempts(
    attempt: int, returns: int, number: int, dead: bool
) -> None:
    returned = delivery(delivery_count=returns)
    assert counted(message(attempt), returned).attempt == number
    assert (crash_loop(message(attempt), returned) is not None) == dead


def test_where_the_broker_tells_them_apart_what_was_given_back_is_no_crash() -> None:
    given_back = delivery(delivery_count=0, acquired_count=9)
    assert given_back.delivery_count == 9
    assert counted(message(), given_back).attempt == 1
    assert crash_loop(message(max_attempts=1), given_back) is None


def test_the_end_is_final_and_says_why() -> None:
    end = crash_loop(message(max_attempts=1), delivery(delivery_count=GIVE_BACKS + 1))
    assert end is not None
    assert (end.error.type, end.retryable) == ("CrashLoop", False)
    assert "Agent after agent was lost" in end.error.message
