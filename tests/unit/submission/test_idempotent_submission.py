"""What carries an Idempotency-Key is done once, whatever goes wrong on the way."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from coordinator.domain.idempotency_claim import Answered, IdempotencyClaim
from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    CoordinatorError,
    InvalidRequest,
    KeyInUse,
    LedgerUnavailable,
    OutcomeUnknown,
)
from coordinator.submission.idempotent_submission import IdempotentSubmission, Worked
from tests.support.keys import MemoryKeys
from tests.support.waiting import eventually


class Work:
    """Records each claim that it is done for, and fails in turn as ``failures`` say."""

    def __init__(self) -> None:
        self.claims: list[IdempotencyClaim] = []
        self.failures: list[Exception] = []
        self.final = True
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, claim: IdempotencyClaim) -> Worked:
        self.claims.append(claim)
        await self.may_end.wait()
        if self.failures:
            raise self.failures.pop(0)
        return Worked(body={"task_id": claim.task_id()}, final=self.final)


@pytest.fixture
def keys() -> MemoryKeys:
    return MemoryKeys()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def once(keys: MemoryKeys) -> IdempotentSubmission:
    return another(keys)


def another(keys: MemoryKeys, longest: float = 5) -> IdempotentSubmission:
    """Of another process, which has the same ledger."""
    return IdempotentSubmission(
        keys, longest=timedelta(seconds=longest), patience=timedelta(seconds=0.2)
    )


async def test_a_repetition_is_answered_the_same_without_doing_anything(
    once: IdempotentSubmission, keys: MemoryKeys, work: Work
) -> None:
    first = await once.run("key", "body", work)
    again = await another(keys).run("key", "body", work)
    assert (again.body, first.replayed, again.replayed) == (first.body, False, True)
    assert len(work.claims) == 1


async def test_a_key_of_another_request_is_a_conflict(
    once: IdempotentSubmission, work: Work
) -> None:
    await once.run("key", "body", work)
    with pytest.raises(Conflict, match="used before, for another request: choose a new one"):
        await once.run("key", "other", work)
    assert len(work.claims) == 1


async def test_many_at_once_in_one_process_are_done_once_and_all_answered(
    once: IdempotentSubmission, work: Work
) -> None:
    answers = await asyncio.gather(*(once.run("key", "body", work) for _ in range(20)))
    assert sum(not answer.replayed for answer in answers) == 1
    assert len({str(answer.body) for answer in answers}) == len(work.claims) == 1


async def test_while_another_process_is_at_it_a_request_waits_and_is_answered_the_same(
    once: IdempotentSubmission, keys: MemoryKeys, work: Work
) -> None:
    work.may_end.clear()
    first = asyncio.create_task(once.run("key", "body", work))
    await eventually(lambda: work.claims)
    second = asyncio.create_task(another(keys).run("key", "body", work))
    await eventually(lambda: keys.claims > 1)
    work.may_end.set()
    assert (await second).body == (await first).body
    assert len(work.claims) == 1


async def test_a_request_does_not_wait_long_for_another_process(
    once: IdempotentSubmission, keys: MemoryKeys, work: Work
) -> None:
    work.may_end.clear()
    first = asyncio.create_task(once.run("key", "body", work))
    await eventually(lambda: work.claims)
    with pytest.raises(KeyInUse, match="still being answered: repeat it in a moment"):
        await another(keys).run("key", "body", work)
    work.may_end.set()
    await first


@pytest.mark.parametrize("failure", [OutcomeUnknown(), RuntimeError("a bug")])
async def test_what_may_have_begun_is_finished_by_a_repetition_under_the_same_id(
    once: IdempotentSubmission, keys: MemoryKeys, work: Work, failure: Exception
) -> None:
    work.failures = [failure]
    with pytest.raises(type(failure)):
        await once.run("key", "body", work)
    with pytest.raises(Conflict):
        await once.run("key", "other", work)
    await another(keys).run("key", "body", work)
    first, second = work.claims
    assert (first.fresh, second.fresh) == (True, False)
    assert first.task_id() == second.task_id()
    assert first.task_id(0) == second.task_id(0) != first.task_id(1)


@pytest.mark.parametrize("failure", [BrokerUnavailable(), InvalidRequest("no")])
async def test_what_was_refused_leaves_the_key_unused(
    once: IdempotentSubmission, work: Work, failure: CoordinatorError
) -> None:
    work.failures = [failure]
    with pytest.raises(type(failure)):
        await once.run("key", "body", work)
    assert (await once.run("key", "corrected", work)).body
    assert [claim.fresh for claim in work.claims] == [True, True]


async def test_a_refusal_after_an_unknown_outcome_does_not_forget_that(
    once: IdempotentSubmission, work: Work
) -> None:
    work.failures = [OutcomeUnknown(), BrokerUnavailable()]
    for _ in range(2):
        with pytest.raises((OutcomeUnknown, BrokerUnavailable)):
            await once.run("key", "body", work)
    await once.run("key", "body", work)
    assert [claim.fresh for claim in work.claims] == [True, False, False]


async def test_an_answer_that_is_not_final_is_given_and_not_kept(
    once: IdempotentSubmission, work: Work
) -> None:
    work.final = False
    assert not (await once.run("key", "body", work)).replayed
    work.final = True
    assert not (await once.run("key", "body", work)).replayed
    assert (await once.run("key", "body", work)).replayed


async def test_without_the_ledger_nothing_is_begun(
    once: IdempotentSubmission, keys: MemoryKeys, work: Work
) -> None:
    keys.failure = LedgerUnavailable()
    with pytest.raises(LedgerUnavailable):
        await once.run("key", "body", work)
    assert not work.claims


async def test_an_answer_that_cannot_be_stored_is_given_all_the_same(
    once: IdempotentSubmission, keys: MemoryKeys
) -> None:
    async def work(claim: IdempotencyClaim) -> Worked:
        keys.failure = LedgerUnavailable()
        return Worked(body={})

    assert await once.run("key", "body", work) == Answered(
        fingerprint="body", body={}, replayed=False
    )


async def test_work_that_takes_too_long_may_have_been_done(keys: MemoryKeys, work: Work) -> None:
    work.may_end.clear()
    with pytest.raises(OutcomeUnknown, match="repeat it with the same Idempotency-Key"):
        await another(keys, longest=0.01).run("key", "body", work)
    work.may_end.set()
    assert not (await another(keys).run("key", "body", work)).replayed


def test_a_key_that_is_used_anew_after_it_was_forgotten_makes_new_ids() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    one = IdempotencyClaim(key="key", holder="a", claimed_at=at, fresh=True)
    two = IdempotencyClaim(key="key", holder="b", claimed_at=at + timedelta(days=2), fresh=True)
    assert one.task_id() != two.task_id()
