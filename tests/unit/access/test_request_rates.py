"""Requests are counted by caller, and those beyond the limit wait."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from coordinator.access.caller_quotas import CallerQuotas
from coordinator.access.request_rates import RequestRates
from coordinator.errors import InvalidRequest, TooManyRequests
from tests.support.waiting import eventually


def test_each_caller_has_a_limit_of_its_own() -> None:
    rates = RequestRates("3/hour")
    for _ in range(3):
        rates.spend("key:a")
    with pytest.raises(TooManyRequests) as told:
        rates.spend("key:a")
    assert told.value.retry_after == 1200  # a third of the hour, when one is back
    assert str(told.value).endswith("send again in 1200 s")
    rates.spend("key:b")
    assert rates.state("key:b").remaining == 2
    assert (rates.state("key:a").quota, rates.state("key:a").window) == (3, 3600)


def test_a_batch_costs_its_tasks_and_one_that_never_fits_is_told_so() -> None:
    rates = RequestRates("100/hour")
    rates.spend("key:a", 90)
    with pytest.raises(TooManyRequests):
        rates.spend("key:a", 11)
    rates.spend("key:a", 10)
    with pytest.raises(InvalidRequest, match="fewer tasks"):
        rates.spend("key:b", 101)


def test_an_empty_bucket_fills_evenly_and_more_take_longer() -> None:
    rates = RequestRates("600/minute")
    rates.spend("key:a", 600)
    for cost, seconds in ((1, 1), (15, 2), (300, 30), (600, 60)):
        with pytest.raises(TooManyRequests, match=f"again in {seconds} s$") as told:
            rates.spend("key:a", cost)
        assert told.value.retry_after == seconds
    assert (rates.state("key:a").remaining, rates.state("key:a").reset) == (0, 60)


async def test_what_was_refused_goes_through_once_there_is_enough_again() -> None:
    rates = RequestRates("100/second")
    rates.spend("key:a", 100)

    def goes_through() -> bool:
        try:
            rates.spend("key:a", 20)
        except TooManyRequests:
            return False
        return True

    await eventually(goes_through)
    assert rates.state("key:a").remaining < 100


def test_a_batch_whose_request_was_counted_before_fits_whole_or_never() -> None:
    rates = RequestRates("10/hour")
    rates.spend("key:a")
    rates.spend("key:a", 10, paid=1)
    rates.spend("key:b")
    with pytest.raises(InvalidRequest, match="costs 11, and 10 are allowed"):
        rates.spend("key:b", 11, paid=1)
    assert rates.state("key:b").remaining == 9
    rates.spend("key:c", 2)
    with pytest.raises(TooManyRequests) as told:
        rates.spend("key:c", 10, paid=1)
    assert told.value.retry_after in (720, 721)  # two of ten are missing, and its own one again


def test_as_many_wait_as_may_and_each_caller_for_itself() -> None:
    quotas = CallerQuotas(waiters=2)
    with ExitStack() as waiting:
        for caller in ("key:a", "key:a", "key:b"):
            waiting.enter_context(quotas.waiting(caller))
        with pytest.raises(TooManyRequests):
            waiting.enter_context(quotas.waiting("key:a"))
        waiting.enter_context(quotas.waiting("key:b"))
    with quotas.waiting("key:a"):
        pass


def test_tasks_of_a_caller_are_bounded_by_what_was_counted_and_what_came_since() -> None:
    quotas = CallerQuotas(tasks=10)
    quotas.submit("key:a", 10)
    quotas.submit("key:b")
    for counts in ({}, {"key:a": 10}):  # they may come into the ledger after the next count
        with pytest.raises(TooManyRequests) as told:
            quotas.submit("key:a")
        assert told.value.retry_after > 1
        quotas.counted(counts)
    quotas.counted({"key:a": 9})
    quotas.submit("key:a")
    with pytest.raises(TooManyRequests):
        quotas.submit("key:a")
    quotas.submit(None, 1000)


def test_without_a_quota_any_number_waits() -> None:
    quotas = CallerQuotas()
    with quotas.waiting("key:a"), quotas.waiting("key:a"), quotas.waiting("key:a"):
        pass
