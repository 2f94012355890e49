"""What the options of a task come to, and with which sentence they are refused."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.errors import InvalidRequest
from coordinator.protocol.message_ttl import COLLECTED_AFTER, LONGEST, time_to_live
from coordinator.protocol.messages.task_message import Backoff
from coordinator.submission.request_limits import RequestLimits
from coordinator.submission.task_options import Settled, TaskOptions, check_options, settled

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIMITS = RequestLimits()
SECOND = timedelta(seconds=1)
instants = st.datetimes(timezones=st.just(UTC))
seconds = st.floats(0.001, 366 * 86400)


def settle(**given: Any) -> Settled:
    options = TaskOptions(**given)
    check_options(options, LIMITS)
    return settled(options, NOW, LIMITS)


def test_seconds_count_from_the_submission_and_instants_are_taken_as_they_are() -> None:
    assert settle() == Settled()
    assert settle(delay_seconds=5, expires_in_seconds=9.5) == Settled(
        not_before=NOW + 5 * SECOND, expires_at=NOW + 9.5 * SECOND
    )
    at = {"not_before": NOW + 5 * SECOND, "expires_at": NOW + 6 * SECOND}
    assert settle(**at) == Settled(**at)


@pytest.mark.parametrize("soon", [{"delay_seconds": 0}, {"not_before": NOW - 9 * SECOND}])
def test_what_is_due_already_is_not_scheduled(soon: dict[str, Any]) -> None:
    assert settle(**soon, expires_in_seconds=1) == Settled(expires_at=NOW + SECOND)


@given(seconds)
def test_a_repetition_at_the_instant_of_the_first_submission_settles_alike(delay: float) -> None:
    options = TaskOptions(delay_seconds=delay, expires_in_seconds=delay + 1)
    assert settled(options, NOW, LIMITS) == settled(options, NOW, LIMITS)


@given(st.builds(TaskOptions, not_before=st.none() | instants, expires_at=st.none() | instants))
def test_what_is_not_refused_can_start(options: TaskOptions) -> None:
    check_options(options, LIMITS)
    with contextlib.suppress(InvalidRequest):
        times = settled(options, NOW, LIMITS)
        assert times.not_before is None or times.not_before > NOW
        assert times.expires_at is None or times.expires_at > (times.not_before or NOW)


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        ({"max_attempts": 0}, "max_attempts", "max_attempts must be from 1 to 100"),
        ({"max_attempts": 101}, "max_attempts", "max_attempts must be from 1 to 100"),
        (
            {"backoff": Backoff.model_construct(first_seconds=-1.0)},
            "backoff.first_seconds",
            "backoff.first_seconds must be 0 or more and at most 604800",
        ),
        (
            {"backoff": Backoff.model_construct(longest_seconds=float("inf"))},
            "backoff.longest_seconds",
            "backoff.longest_seconds must be 0 or more and at most 604800",
        ),
        (
            {"backoff": Backoff.model_construct(factor=0.5)},
            "backoff.factor",
            "backoff.factor must be from 1 to 100",
        ),
        (
            {"progress_timeout_seconds": 0.0},
            "progress_timeout_seconds",
            "progress_timeout_seconds must be more than 0 and at most 604800",
        ),
        (
            {"delay_seconds": -1.0},
            "delay_seconds",
            "delay_seconds must be 0 or more and at most 31622400",
        ),
        (
            {"delay_seconds": float("nan")},
            "delay_seconds",
            "delay_seconds must be 0 or more and at most 31622400",
        ),
        (
            {"expires_in_seconds": 0.0},
            "expires_in_seconds",
            "expires_in_seconds must be more than 0 and at most 63244800",
        ),
        (
            {"delay_seconds": 1.0, "not_before": NOW},
            "delay_seconds",
            "delay_seconds and not_before say the same: give only one of them",
        ),
        (
            {"expires_in_seconds": 1.0, "expires_at": NOW},
            "expires_in_seconds",
            "expires_in_seconds and expires_at say the same: give only one of them",
        ),
        (
            {"not_before": NOW + timedelta(days=367)},
            "not_before",
            "not_before is too far away: at most 2027-02-01",
        ),
        (
            {"expires_at": NOW},
            "expires_at",
            "expires_at is in the past: the task could never start",
        ),
        (
            {"expires_in_seconds": 5.0, "delay_seconds": 5.0},
            "expires_in_seconds",
            "expires_in_seconds is before the task's time comes: the task could never start",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    given: dict[str, Any], field: str, sentence: str
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        settle(**given)
    assert (refusal.value.field, str(refusal.value)) == (field, sentence)


def test_a_message_is_collected_long_after_its_deadline_and_never_with_a_time_the_broker_refuses() -> (
    None
):
    assert time_to_live(None, NOW) is None
    assert time_to_live(NOW + SECOND, NOW) == SECOND + COLLECTED_AFTER
    assert time_to_live(NOW - SECOND, NOW) == COLLECTED_AFTER
    assert time_to_live(NOW + LONGEST, NOW) is None
