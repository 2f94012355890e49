"""What follows from one try of a callback."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from coordinator.domain.callbacks.callback_delivery import CallbackDelivery, DeliveryState
from coordinator.domain.callbacks.delivery_outcome import PostResult, TryRules, Verdict, judged
from coordinator.domain.retry_backoff import RetryBackoff
from coordinator.settings import Settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RULES = TryRules(
    within=timedelta(hours=24),
    backoff=RetryBackoff(
        first=timedelta(seconds=5), factor=4, longest=timedelta(hours=2), spread=0.5
    ),
    longest_asked=timedelta(hours=6),
)
NEW = CallbackDelivery(
    webhook_id="msg_1",
    task_id="t",
    event="completed",
    url="https://receiver.example/",
    secret_ref="default",
    state=DeliveryState.PENDING,
    attempts=0,
    ordered_at=NOW,
    since=NOW,
    due_at=NOW,
)


def verdict(
    result: PostResult, *, attempts: int = 0, after: timedelta = timedelta(), jitter: float = 0
) -> Verdict:
    delivery = replace(NEW, attempts=attempts)
    return judged(delivery, result, RULES, now=NOW + after, jitter=jitter)


@pytest.mark.parametrize("status", [200, 202, 204, 299])
def test_any_2xx_delivers_it(status: int) -> None:
    found = verdict(PostResult(status=status))
    assert (found.state, found.status, found.error) == (DeliveryState.DELIVERED, status, None)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_any_other_answer_is_tried_again_after_a_pause(status: int) -> None:
    found = verdict(PostResult(status=status))
    assert (found.state, found.due_at) == (DeliveryState.PENDING, NOW + timedelta(seconds=5))
    assert str(status) in (found.error or "")


def test_no_answer_is_tried_again_with_its_reason() -> None:
    found = verdict(PostResult(error="No connection"))
    assert (found.state, found.status, found.error) == (
        DeliveryState.PENDING,
        None,
        "No connection",
    )


def test_410_ends_it_at_once() -> None:
    found = verdict(PostResult(status=410))
    assert found.state is DeliveryState.DEAD
    assert "wants no more" in (found.error or "")


def test_what_no_try_can_mend_ends_it_at_once() -> None:
    refused = PostResult(error="The host has no public address", final=True)
    assert verdict(refused).state is DeliveryState.DEAD


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(0, 5), (1, 20), (2, 80), (3, 320), (10, 7200), (10_000, 7200)]
)
def test_the_pauses_grow_up_to_two_hours(attempts: int, seconds: int) -> None:
    assert verdict(PostResult(status=500), attempts=attempts).due_at == NOW + timedelta(
        seconds=seconds
    )
    less = verdict(PostResult(status=500), attempts=attempts, jitter=1).due_at - NOW
    assert less == timedelta(seconds=seconds / 2)


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_may_ask_for_a_longer_pause_up_to_a_bound(status: int) -> None:
    for asked, given in ((600, 600), (1, 5), (-5, 5), (10**9, 6 * 3600)):
        result = PostResult(status=status, retry_after=timedelta(seconds=asked))
        assert verdict(result).due_at == NOW + timedelta(seconds=given)


def test_with_other_statuses_retry_after_means_nothing() -> None:
    result = PostResult(status=500, retry_after=timedelta(hours=1))
    assert verdict(result).due_at == NOW + timedelta(seconds=5)


def test_the_last_try_comes_at_the_end_of_the_day_and_then_it_is_dead() -> None:
    late = timedelta(hours=23, minutes=30)
    found = verdict(PostResult(status=500), attempts=20, after=late)
    assert (found.state, found.due_at) == (DeliveryState.PENDING, NOW + timedelta(hours=24))
    over = verdict(PostResult(status=500), attempts=21, after=timedelta(hours=24))
    assert (over.state, over.status) == (DeliveryState.DEAD, 500)


@pytest.mark.parametrize("jitter", [0, 1])
def test_the_services_own_rules_try_for_a_day_and_end_with_it(jitter: float) -> None:
    """A receiver that is away is asked some twenty times, the last time a day after the first."""
    rules = TryRules(within=Settings().callback_retry_for)
    assert rules == TryRules()
    delivery, tries = NEW, list[timedelta]()
    while delivery.state is DeliveryState.PENDING:
        tries.append(delivery.due_at - NOW)
        away = PostResult(error="No connection")
        found = judged(delivery, away, rules, now=delivery.due_at, jitter=jitter)
        delivery = replace(
            delivery, state=found.state, due_at=found.due_at, attempts=delivery.attempts + 1
        )
    assert delivery.state is DeliveryState.DEAD
    assert tries[-1] == timedelta(hours=24)
    assert tries[1] <= timedelta(seconds=6)
    pauses = [later - sooner for sooner, later in pairwise(tries)]
    assert pauses[:-1] == sorted(pauses[:-1])
    assert max(pauses) <= timedelta(hours=2)
    assert 12 <= len(tries) <= 24
