"""Idempotency-Keys in the ledger: one claim at a time, one answer, and gone after their time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.registry.ledger.ledger import Ledger
from coordinator.registry.stores.idempotency_keys import PRUNED_AT_ONCE, IdempotencyKeys

LASTS = timedelta(seconds=30)
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(ledger: Ledger, clock: Clock) -> IdempotencyKeys:
    return IdempotencyKeys(ledger, kept=timedelta(days=1), now=clock)


async def claimed(keys: IdempotencyKeys, key: str = "key") -> IdempotencyClaim:
    claim = await keys.claim(key, "body", LASTS)
    assert isinstance(claim, IdempotencyClaim)
    return claim


async def test_of_many_claims_in_many_processes_one_is_let_in(ledger_url: str) -> None:
    async with Ledger(ledger_url) as first, Ledger(ledger_url) as second:
        both = [IdempotencyKeys(ledger, kept=timedelta(days=1)) for ledger in (first, second)]
        found = await asyncio.gather(
            *(keys.claim("key", "body", LASTS) for keys in both for _ in range(10))
        )
    claims = [one for one in found if isinstance(one, IdempotencyClaim)]
    assert [claim.fresh for claim in claims] == [True]
    assert found.count(Answered(fingerprint="body")) == 19


async def test_an_answer_is_kept_and_told_with_the_request_that_it_was_for(
    keys: IdempotencyKeys,
) -> None:
    body = {"task_id": "a", "text": "grüß \x00 dich", "list": [1, 2.5, None]}
    await keys.finish(await claimed(keys), body)
    assert await keys.claim("key", "body", LASTS) == Answered(fingerprint="body", body=body)
    assert await keys.claim("key", "other", LASTS) == Answered(fingerprint="body")


async def test_what_was_left_is_taken_over_once_its_time_is_up_or_it_was_released(
    keys: IdempotencyKeys, clock: Clock
) -> None:
    first = await claimed(keys)
    clock.now += LASTS - timedelta(seconds=1)
    assert await keys.claim("key", "body", LASTS) == Answered(fingerprint="body")
    clock.now += timedelta(seconds=1)
    second = await claimed(keys)
    assert (second.fresh, second.claimed_at) == (False, first.claimed_at)
    await keys.release(second)
    assert not (await claimed(keys)).fresh


async def test_who_was_overtaken_changes_nothing_more(keys: IdempotencyKeys, clock: Clock) -> None:
    first = await claimed(keys)
    clock.now += LASTS
    await claimed(keys)
    await keys.finish(first, {"late": True})
    await keys.release(first)
    await keys.forget(first)
    assert await keys.claim("key", "body", LASTS) == Answered(fingerprint="body")


async def test_a_forgotten_key_is_as_new(keys: IdempotencyKeys) -> None:
    await keys.forget(await claimed(keys))
    assert (await claimed(keys)).fresh


async def test_keys_go_after_their_time_and_not_before(keys: IdempotencyKeys, clock: Clock) -> None:
    for number in range(PRUNED_AT_ONCE + 5):
        await claimed(keys, f"old-{number}")
    clock.now += timedelta(days=1)
    await keys.finish(await claimed(keys, "young"), {})
    assert await keys.prune() == 0
    clock.now += timedelta(seconds=1)
    assert await keys.prune() == PRUNED_AT_ONCE + 5
    assert await keys.claim("young", "body", LASTS) == Answered(fingerprint="body", body={})
