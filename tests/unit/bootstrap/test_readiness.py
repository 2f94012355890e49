"""Facts about connections and queues become sentences that say why no task can be submitted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from coordinator.bootstrap.readiness import (
    ConnectionState,
    can_submit,
    obstacles,
    submission_hindered,
)
from coordinator.errors import BrokerUnavailable, OperatorError

CONNECTED = ConnectionState(linked=True, blocked=False, last_error=None, refused=None)
NOT_TRIED = replace(CONNECTED, linked=False)
AWAY = replace(NOT_TRIED, last_error=BrokerUnavailable("nobody answers"))
BLOCKED = replace(CONNECTED, blocked=True)
REFUSED = replace(CONNECTED, refused=OperatorError("a queue has other arguments"))


@pytest.mark.parametrize(
    ("opened", "available", "ready"),
    [(True, True, True), (True, False, False), (False, True, False), (False, False, False)],
)
def test_tasks_can_be_submitted_once_the_queues_are_open_and_the_publisher_would_send(
    opened: bool, available: bool, ready: bool
) -> None:
    assert can_submit(opened=opened, available=available) is ready


@pytest.mark.parametrize(
    ("reading", "publishing", "ready", "told"),
    [
        (CONNECTED, CONNECTED, True, []),
        (NOT_TRIED, CONNECTED, False, ["The broker cannot be reached: not tried yet"]),
        (CONNECTED, AWAY, False, ["The broker cannot be reached: nobody answers"]),
        (AWAY, BLOCKED, False, ["The broker cannot be reached: nobody answers"]),
        (
            CONNECTED,
            BLOCKED,
            False,
            ["The broker is short of memory or disk and takes nothing now."],
        ),
        (CONNECTED, CONNECTED, False, ["The queues on the broker are still being opened."]),
        (
            REFUSED,
            CONNECTED,
            False,
            ["The queues on the broker cannot be opened: a queue has other arguments"],
        ),
    ],
)
def test_one_sentence_tells_the_first_obstacle(
    reading: ConnectionState, publishing: ConnectionState, ready: bool, told: list[str]
) -> None:
    assert obstacles(reading=reading, publishing=publishing, ready=ready) == told


@pytest.mark.parametrize(
    ("state", "known"),
    [(CONNECTED, False), (BLOCKED, False), (NOT_TRIED, False), (AWAY, True), (REFUSED, True)],
)
def test_submission_is_hindered_where_the_reason_is_known_and_waiting_alone_does_not_help(
    state: ConnectionState, known: bool
) -> None:
    assert submission_hindered([CONNECTED, state]) is known
