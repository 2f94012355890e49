"""How an agent is, by what was declared, how silent it is and what it has in its hands."""

from __future__ import annotations

from datetime import timedelta

import pytest

from coordinator.domain.agent_status_rules import health_score, merged_status
from coordinator.domain.agent_statuses import AgentStatus
from coordinator.domain.retry_backoff import RetryBackoff

STALE_AFTER = timedelta(seconds=60)
ACTIVE, BUSY, STALE = AgentStatus.ACTIVE, AgentStatus.BUSY, AgentStatus.STALE


@pytest.mark.parametrize(
    ("silence", "declared", "slots", "running", "status"),
    [
        (0, ACTIVE, 4, 0, ACTIVE),
        (0, ACTIVE, 4, 3, ACTIVE),
        (0, ACTIVE, 4, 4, BUSY),
        (0, ACTIVE, 4, 5, BUSY),
        (0, ACTIVE, None, 9, ACTIVE),
        (60, ACTIVE, 4, 0, ACTIVE),
        (60.001, ACTIVE, 4, 0, STALE),
        (61, ACTIVE, 4, 4, STALE),
        (0, BUSY, 4, 0, BUSY),
        (0, BUSY, None, 0, BUSY),
        (0, AgentStatus.MAINTENANCE, 4, 4, AgentStatus.MAINTENANCE),
        (0, AgentStatus.DRAINING, 4, 1, AgentStatus.DRAINING),
        (0, AgentStatus.INACTIVE, 4, 0, AgentStatus.INACTIVE),
        (0, AgentStatus.ERROR, 4, 0, AgentStatus.ERROR),
        (0, AgentStatus.DEGRADED, 4, 4, AgentStatus.DEGRADED),
        (0, STALE, 4, 0, STALE),
        (61, AgentStatus.MAINTENANCE, 4, 0, STALE),
        (61, AgentStatus.DRAINING, 4, 1, STALE),
        (61, AgentStatus.INACTIVE, 4, 0, AgentStatus.INACTIVE),
    ],
)
def test_a_goodbye_comes_first_then_silence_then_what_was_declared_then_what_is_observed(
    silence: float, declared: AgentStatus, slots: int | None, running: int, status: AgentStatus
) -> None:
    assert (
        merged_status(
            silence=timedelta(seconds=silence),
            stale_after=STALE_AFTER,
            declared=declared,
            slots=slots,
            running=running,
        )
        is status
    )


@pytest.mark.parametrize(
    ("silence", "completed", "failed", "slots", "running", "score"),
    [
        (0, 0, 0, None, 0, 1.0),
        (20, 0, 0, None, 0, 1.0),
        (40, 0, 0, None, 0, 0.5),
        (60, 0, 0, None, 0, 0.0),
        (9999, 0, 0, None, 0, 0.0),
        (0, 0, 1, None, 0, 0.833),
        (0, 98, 0, None, 0, 1.0),
        (0, 49, 49, None, 0, 0.755),
        (0, 0, 998, None, 0, 0.501),
        (0, 0, 0, 4, 2, 0.9),
        (0, 0, 0, 4, 4, 0.8),
        (0, 0, 0, 4, 8, 0.8),
        (40, 49, 49, 4, 4, 0.302),
    ],
)
def test_health_falls_with_silence_failures_and_load(
    silence: float, completed: int, failed: int, slots: int | None, running: int, score: float
) -> None:
    assert (
        health_score(
            silence=timedelta(seconds=silence),
            stale_after=STALE_AFTER,
            completed=completed,
            failed=failed,
            slots=slots,
            running=running,
        )
        == score
    )


@pytest.mark.parametrize(
    ("attempt", "jitter", "seconds"),
    [(1, 0.0, 10), (2, 0.0, 20), (3, 0.0, 40), (4, 0.0, 60), (10_000, 0.0, 60), (1, 1.0, 5)],
)
def test_pauses_grow_up_to_the_longest_and_jitter_shortens_them(
    attempt: int, jitter: float, seconds: float
) -> None:
    policy = RetryBackoff(first=timedelta(seconds=10), longest=timedelta(seconds=60), spread=0.5)
    assert policy.pause(attempt, jitter=jitter) == timedelta(seconds=seconds)


def test_a_pause_that_was_asked_for_is_taken_as_it_is_within_a_day() -> None:
    policy = RetryBackoff()
    asked = timedelta(seconds=1)
    assert policy.pause(9, jitter=1.0, asked=asked) == asked
    assert policy.pause(1, jitter=0.0, asked=timedelta(days=400)) == timedelta(days=1)
    assert policy.pause(1, jitter=0.0, asked=timedelta(days=-1)) == timedelta()
