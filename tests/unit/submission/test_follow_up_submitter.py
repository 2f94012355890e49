"""A follow-up task is submitted for whoever was given its parent, once, under the quotas of its producer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordinator.api import run_of
from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    CoordinatorError,
    OutcomeUnknown,
    QueuesFull,
    TaskNotFound,
    TooManyRequests,
    TopologyConflict,
    Unavailable,
)
from coordinator.protocol.messages.agent_requests.follow_up import (
    FollowUpReply,
    FollowUpRequest,
    follow_up_id,
)
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_token import task_token
from coordinator.submission.follow_up_submitter import FollowUpSubmitter
from coordinator.submission.idempotent_submission import IdempotentSubmission
from coordinator.submission.task_maker import Accepted, SubmitTask
from tests.support.keys import MemoryKeys

SECRET = b"a secret of the tests"
NOW = datetime(2026, 5, 7, tzinfo=UTC)
RUNNING = Task("parent", state=State.RUNNING, started=1, published=1)


def message_of(task_id: str, submitted_by: str | None = None) -> TaskMessage:
    return TaskMessage(
        task_id=task_id,
        task_data={},
        priority=Priority.LOW,
        submitted_at=NOW,
        submitted_by=submitted_by,
        task_token="x",
    )


@dataclass
class Ledger:
    """Has one parent, and what was submitted."""

    parent: Task = RUNNING
    submitted: dict[str, SubmitTask] = field(default_factory=dict)
    failures: list[CoordinatorError] = field(default_factory=list)
    quota: int = 10
    asked_of: list[str | None] = field(default_factory=list)
    noted: list[tuple[str, str, str, str | None]] = field(default_factory=list)

    async def current_task(self, task_id: str) -> tuple[Task, TaskMessage]:
        if task_id != self.parent.task_id:
            raise TaskNotFound(task_id)
        return self.parent, message_of(task_id, "key:shop")

    async def submissions(self, task_ids: Collection[str]) -> dict[str, TaskMessage]:
        return {one: message_of(one) for one in task_ids if one in self.submitted}

    async def submit(self, command: SubmitTask) -> Accepted:
        if self.failures:
            raise self.failures.pop(0)
        assert command.task_id is not None
        assert command.repeated or command.task_id not in self.submitted
        self.submitted[command.task_id] = command
        return Accepted(task_id=command.task_id, priority=command.priority, submitted_at=NOW)

    def note(
        self, task_id: str, *, agent_id: str, parent_id: str, submitted_by: str | None
    ) -> None:
        self.noted.append((task_id, agent_id, parent_id, submitted_by))

    def admit(self, caller: str | None) -> None:
        self.asked_of.append(caller)
        if len(self.asked_of) > self.quota:
            raise TooManyRequests("too many", retry_after=5)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def follow_ups(ledger: Ledger) -> FollowUpSubmitter:
    return FollowUpSubmitter(
        secret=SECRET,
        tasks=ledger,
        submitter=ledger,
        once=IdempotentSubmission(MemoryKeys(), longest=timedelta(seconds=5)),
        read=run_of,
        admit=ledger.admit,
        note=ledger.note,
    )


def asking(request_id: str = "1.1", **changed: Any) -> FollowUpRequest:
    request = FollowUpRequest(
        task_id="parent",
        attempt=1,
        task_token=task_token(SECRET, "parent", 1, 1),
        agent_id="ada",
        request_id=request_id,
        submission={"task_data": {"task_type": "mail"}, "priority": "high"},
    )
    return request.model_copy(update=changed)


async def answer(follow_ups: FollowUpSubmitter, request: FollowUpRequest) -> FollowUpReply:
    return await follow_ups.answer(request.model_dump_json().encode())


async def test_it_is_submitted_under_an_id_of_its_own_for_whoever_submitted_the_parent(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    reply = await answer(follow_ups, asking())
    assert reply.error is None
    assert reply.task_id == follow_up_id("parent", 1, "1.1")
    assert (reply.priority, reply.submitted_at) == (Priority.HIGH, NOW)
    [submitted] = ledger.submitted.values()
    assert submitted.task_data == {"task_type": "mail"}
    assert (submitted.submitted_by, submitted.parent_id) == ("key:shop", "parent")
    assert ledger.asked_of == ["key:shop"]
    assert ledger.noted == [(reply.task_id, "ada", "parent", "key:shop")]


async def test_it_is_bound_to_the_generation_of_its_parent_where_it_asks_for_that(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    ledger.parent = RUNNING._replace(generation=3)
    token = task_token(SECRET, "parent", 3, 1)
    bound = asking(generation=3, task_token=token, cancel_with_parent=True)
    assert (await answer(follow_ups, bound)).error is None
    assert "another task" in (
        (await answer(follow_ups, bound.model_copy(update={"cancel_with_parent": False}))).error
        or ""
    )
    assert [one.cancel_with_parent for one in ledger.submitted.values()] == [3]
    await answer(follow_ups, asking("1.2", generation=3, task_token=token))
    assert [one.cancel_with_parent for one in ledger.submitted.values()] == [3, None]


async def test_who_asks_again_is_told_of_the_same_task_and_it_counts_once(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    ledger.quota = 1
    first = await answer(follow_ups, asking())
    assert await answer(follow_ups, asking()) == first
    other = replace(follow_ups, once=IdempotentSubmission(MemoryKeys(), longest=timedelta(5)))
    assert (
        await answer(other, asking())
    ).task_id == first.task_id  # long after, when keys are gone
    assert len(ledger.submitted) == len(ledger.asked_of) == 1
    refused = await answer(follow_ups, asking("1.2"))
    assert (refused.error, refused.retry_after_seconds) == ("too many", 5)


async def test_another_task_under_the_same_key_is_refused_with_the_key(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    await answer(follow_ups, asking("=mail"))
    reply = await answer(follow_ups, asking("=mail", submission={"task_data": {"other": 1}}))
    assert "another task under the key 'mail'" in (reply.error or "")
    assert len(ledger.submitted) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"task_token": "0" * 64},
        {"attempt": 2},
        {"generation": 2},
        {"task_id": "another"},
        {"crashes": 1},
    ],
)
async def test_who_was_not_given_the_attempt_submits_nothing(
    follow_ups: FollowUpSubmitter, ledger: Ledger, changed: dict[str, Any]
) -> None:
    reply = await answer(follow_ups, asking(**changed))
    assert reply.error
    assert "task_token" in reply.error
    assert not ledger.submitted
    assert not ledger.noted


async def test_an_attempt_after_crashes_shows_the_token_of_its_message(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    assert (await answer(follow_ups, asking(attempt=3, crashes=2))).error is None


@pytest.mark.parametrize(
    "parent",
    [
        Task("parent", state=State.CANCELLED),
        Task("parent", state=State.COMPLETED),
        Task("parent", state=State.WAITING, attempt=2, failed=1),
        Task("parent", state=State.QUEUED, generation=2),
    ],
)
async def test_an_attempt_that_is_over_submits_nothing(
    follow_ups: FollowUpSubmitter, ledger: Ledger, parent: Task
) -> None:
    ledger.parent = parent
    assert "is over" in ((await answer(follow_ups, asking())).error or "")
    assert not ledger.submitted


@pytest.mark.parametrize(
    ("submission", "why"),
    [
        ({}, "task_data"),
        ({"task_data": {}, "priority": "now"}, "priority"),
        ({"task_data": {}, "max_attempts": "many"}, "max_attempts"),
        ({"task_data": {"task_id": "mine"}}, "task_data.task_id"),
    ],
)
async def test_what_cannot_be_submitted_is_refused_with_its_sentence(
    follow_ups: FollowUpSubmitter, ledger: Ledger, submission: dict[str, Any], why: str
) -> None:
    reply = await answer(follow_ups, asking(submission=submission))
    assert why in (reply.error or "").lower()
    assert not ledger.submitted


async def test_a_request_that_cannot_be_read_is_refused(follow_ups: FollowUpSubmitter) -> None:
    assert (await follow_ups.answer(b'{"agent_id": "ada"}')).error


@pytest.mark.parametrize("failure", [BrokerUnavailable(), OutcomeUnknown()])
async def test_while_nobody_knows_it_is_not_answered_and_done_when_it_is_asked_for_again(
    follow_ups: FollowUpSubmitter, ledger: Ledger, failure: CoordinatorError
) -> None:
    ledger.failures = [failure]
    with pytest.raises(Unavailable):
        await answer(follow_ups, asking())
    assert (await answer(follow_ups, asking())).error is None
    assert len(ledger.submitted) == 1


async def test_what_only_an_operator_can_mend_is_a_refusal_for_now_and_ends_no_session(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    ledger.failures = [TopologyConflict("the queue is declared otherwise")]
    reply = await answer(follow_ups, asking())
    assert reply.error == "the queue is declared otherwise"
    assert reply.retry_after_seconds


async def test_full_queues_are_a_refusal_for_now(
    follow_ups: FollowUpSubmitter, ledger: Ledger
) -> None:
    ledger.failures = [QueuesFull()]
    reply = await answer(follow_ups, asking())
    assert reply.error
    assert reply.retry_after_seconds
