"""When a task is accepted, when it is published, and what is told where that is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    InvalidRequest,
    OutcomeUnknown,
    PublishRefused,
    TaskNotFound,
    TooManyLanes,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import Backoff, TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.protocol.task_token import token_matches
from coordinator.protocol.topology import LOG, TASKS
from coordinator.protocol.trace_context import TraceContext
from coordinator.submission.per_id_lock import PerIdLock
from coordinator.submission.ports import EnsuresQueue
from coordinator.submission.request_limits import RequestLimits
from coordinator.submission.submitter import Submitter
from coordinator.submission.task_maker import SubmitTask, TaskMaker
from coordinator.submission.task_options import TaskOptions
from tests.support.waiting import eventually

SECRET = b"a secret of the tests"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Broker:
    """Records what is published, and fails in turn as ``failures`` say."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str, Message]] = []
        self.mandatory: list[bool] = []
        self.failures: list[Exception] = []
        self.ensured: list[tuple[TaskQueue, Requirements]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def publish(
        self, message: Message, *, exchange: str, key: str, mandatory: bool = False
    ) -> None:
        self.published.append((exchange, key, message))
        self.mandatory.append(mandatory)
        await self.may_answer.wait()
        if self.failures:
            raise self.failures.pop(0)

    async def check_size(self, size: int) -> None:
        if self.failures:
            raise self.failures.pop(0)

    async def ensure(
        self, source: TaskQueue, requirements: Requirements, *, by: str | None = None
    ) -> None:
        self.ensured.append((source, requirements))


class Known:
    """What the registry would know: every task that was noted as submitted."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskMessage] = {}

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        await asyncio.sleep(0)
        if task_id not in self.tasks:
            raise TaskNotFound(task_id)
        return self.tasks[task_id]

    async def submissions(
        self, task_ids: Collection[str], *, certain: bool = False
    ) -> dict[str, TaskMessage]:
        raise NotImplementedError

    def note_submitted(self, task: NewTask) -> None:
        self.tasks[task.task_id] = task.model


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def known() -> Known:
    return Known()


def submitter_over(
    broker: Broker, known: Known, *, ensure: EnsuresQueue | None = None, **making: Any
) -> Submitter:
    return Submitter(
        publisher=broker,
        ensure=ensure or broker.ensure,
        tasks=known,
        maker=TaskMaker(secret=SECRET, types=AnnouncedTypes(), **({"now": lambda: NOW} | making)),
        one_at_a_time=PerIdLock(),
    )


@pytest.fixture
def submitter(broker: Broker, known: Known) -> Submitter:
    return submitter_over(broker, known)


def wish(**fields: Any) -> SubmitTask:
    return SubmitTask(**({"task_data": {"prompt": "test prompt"}} | fields))


async def test_a_task_is_published_once_to_the_lane_of_its_requirements(
    submitter: Submitter, broker: Broker, known: Known
) -> None:
    wanted = Requirements(capabilities=("gpu",))
    accepted = await submitter.submit(
        wish(
            priority=Priority.HIGH,
            requirements=wanted,
            timeout_seconds=5,
            metadata={"team": "a"},
            trace=TraceContext(TRACE, "vendor=1"),
        )
    )

    [(exchange, key, message)] = broker.published
    assert (exchange, key) == (TASKS, "cap:gpu.high")
    assert broker.ensured == [(TaskQueue("cap:gpu", Priority.HIGH), wanted)]
    assert message.headers == {"traceparent": TRACE, "tracestate": "vendor=1"}
    task = TaskMessage.from_message(message)
    assert task == known.tasks[accepted.task_id]
    assert (task.task_id, task.priority, task.submitted_at) == (
        accepted.task_id,
        accepted.priority,
        NOW,
    )
    assert (task.timeout_seconds, task.metadata) == (5, {"team": "a"})
    assert (task.generation, task.attempt, task.max_attempts) == (1, 1, 3)
    assert token_matches(SECRET, task.task_id, 1, 1, task.task_token)


async def test_nothing_is_answered_before_the_confirm(
    submitter: Submitter, broker: Broker, known: Known
) -> None:
    broker.may_answer.clear()
    submission = asyncio.create_task(submitter.submit(wish()))
    await eventually(lambda: broker.published)
    assert not submission.done()
    assert not known.tasks
    broker.may_answer.set()
    accepted = await submission
    assert accepted.task_id in known.tasks


async def test_a_long_task_goes_to_the_long_queue_of_its_lane(
    submitter: Submitter, broker: Broker
) -> None:
    await submitter.submit(wish(timeout_seconds=601))
    assert broker.published[0][1] == "any:long.normal"


async def test_a_refusal_is_tried_once_more_and_then_told(
    submitter: Submitter, broker: Broker, known: Known
) -> None:
    broker.failures = [PublishRefused()]
    accepted = await submitter.submit(wish())
    assert [message.correlation_id for _, _, message in broker.published] == [accepted.task_id] * 2

    broker.failures = [PublishRefused(), PublishRefused()]
    with pytest.raises(BrokerUnavailable):
        await submitter.submit(wish())
    assert len(known.tasks) == 1


async def test_an_unknown_outcome_is_never_repeated_and_carries_the_id(
    submitter: Submitter, broker: Broker, known: Known
) -> None:
    broker.failures = [OutcomeUnknown()]
    with pytest.raises(OutcomeUnknown) as outcome:
        await submitter.submit(wish())
    [(_, _, message)] = broker.published
    assert outcome.value.task_id == message.correlation_id
    assert not known.tasks


async def test_a_refusal_followed_by_silence_is_an_unknown_outcome(
    submitter: Submitter, broker: Broker
) -> None:
    broker.failures = [PublishRefused(), OutcomeUnknown()]
    with pytest.raises(OutcomeUnknown) as outcome:
        await submitter.submit(wish(task_data={"task_id": "mine"}))
    assert outcome.value.task_id == "mine"


async def test_a_task_whose_lane_cannot_be_opened_is_not_sent(broker: Broker, known: Known) -> None:
    async def refuse(
        source: TaskQueue, requirements: Requirements, *, by: str | None = None
    ) -> None:
        raise TooManyLanes

    submitter = submitter_over(broker, known, ensure=refuse)
    with pytest.raises(TooManyLanes):
        await submitter.submit(wish())
    assert not broker.published


async def test_an_id_in_the_data_becomes_the_tasks_id(submitter: Submitter) -> None:
    accepted = await submitter.submit(wish(task_data={"task_id": "mine"}))
    assert accepted.task_id == "mine"


@pytest.mark.parametrize("task_id", ["", "a\tb", 5, "x" * 129, ["a"]])
async def test_an_id_that_cannot_be_one_is_refused(
    submitter: Submitter, broker: Broker, task_id: object
) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        await submitter.submit(wish(task_data={"task_id": task_id}))
    assert refusal.value.field == "task_data.task_id"
    assert not broker.published


async def test_no_id_and_null_give_a_new_one(submitter: Submitter) -> None:
    first = await submitter.submit(wish())
    second = await submitter.submit(wish(task_data={"task_id": None}))
    assert first.task_id != second.task_id


async def test_the_same_task_again_is_answered_the_same_without_a_second_publish(
    broker: Broker, known: Known
) -> None:
    clock = iter([NOW, NOW.replace(hour=13)])
    submitter = submitter_over(broker, known, now=lambda: next(clock))
    again = wish(
        task_data={"task_id": "mine", "n": [1, 2]},
        requirements=Requirements(capabilities=("b", "a")),
    )
    first = await submitter.submit(again)
    assert await submitter.submit(again) == first
    assert len(broker.published) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"task_data": {"task_id": "mine", "n": 2}},
        {"priority": Priority.LOW},
        {"requirements": Requirements(agent_type="worker")},
        {"timeout_seconds": 5},
        {"options": TaskOptions(max_attempts=2)},
        {"options": TaskOptions(backoff=Backoff(factor=2))},
        {"options": TaskOptions(progress_timeout_seconds=5)},
        {"options": TaskOptions(delay_seconds=5)},
        {"options": TaskOptions(expires_in_seconds=5)},
    ],
)
async def test_another_task_under_a_used_id_is_a_conflict(
    submitter: Submitter, broker: Broker, other: dict[str, Any]
) -> None:
    first: dict[str, Any] = {"task_data": {"task_id": "mine", "n": 1}}
    await submitter.submit(wish(**first))
    with pytest.raises(Conflict, match="'mine' was used before"):
        await submitter.submit(wish(**(first | other)))
    assert len(broker.published) == 1


async def test_a_task_without_an_id_may_be_submitted_again_with_the_id_that_it_was_given(
    submitter: Submitter, broker: Broker
) -> None:
    first = await submitter.submit(wish(task_data={"n": 1}))
    again = {"task_id": first.task_id, "n": 1}
    assert await submitter.submit(wish(task_data=again)) == first
    with pytest.raises(Conflict):
        await submitter.submit(wish(task_data=again | {"n": 2}))
    assert len(broker.published) == 1


async def test_one_id_submitted_many_times_at_once_is_published_once(
    submitter: Submitter, broker: Broker
) -> None:
    answers = await asyncio.gather(
        *(submitter.submit(wish(task_data={"task_id": "mine"})) for _ in range(20))
    )
    assert len(set(answers)) == 1
    assert len(broker.published) == 1


async def test_after_an_unknown_outcome_the_id_may_be_submitted_again(
    submitter: Submitter, broker: Broker
) -> None:
    broker.failures = [OutcomeUnknown()]
    with pytest.raises(OutcomeUnknown):
        await submitter.submit(wish(task_data={"task_id": "mine"}))
    accepted = await submitter.submit(wish(task_data={"task_id": "mine"}))
    assert accepted.task_id == "mine"
    assert len({message.message_id for _, _, message in broker.published}) == 1


async def test_the_options_of_a_task_travel_with_it(submitter: Submitter, broker: Broker) -> None:
    backoff = Backoff(first_seconds=1, factor=3, longest_seconds=60)
    options = TaskOptions(
        max_attempts=7, backoff=backoff, progress_timeout_seconds=30, expires_in_seconds=90
    )
    await submitter.submit(wish(options=options))
    [(_, _, message)] = broker.published
    task = TaskMessage.from_message(message)
    assert (task.max_attempts, task.backoff, task.progress_timeout_seconds) == (7, backoff, 30)
    assert task.expires_at == NOW + timedelta(seconds=90)
    assert message.expiration == timedelta(days=1, seconds=90)


async def test_the_attempts_of_a_task_that_names_none_are_a_setting(
    broker: Broker, known: Known
) -> None:
    submitter = submitter_over(broker, known, limits=RequestLimits(default_max_attempts=5))
    accepted = await submitter.submit(wish())
    assert known.tasks[accepted.task_id].max_attempts == 5


async def test_a_scheduled_task_goes_to_the_log_alone_and_must_arrive_there(
    submitter: Submitter, broker: Broker, known: Known
) -> None:
    wanted = Requirements(capabilities=("gpu",))
    accepted = await submitter.submit(
        wish(requirements=wanted, options=TaskOptions(delay_seconds=60, expires_in_seconds=90))
    )
    [(exchange, key, message)] = broker.published
    assert (exchange, key, broker.mandatory) == ("", LOG, [True])
    assert message.expiration is None
    assert message.message_id == f"{accepted.task_id}.1.1.scheduled"
    assert accepted.not_before == NOW + timedelta(seconds=60)
    assert broker.ensured == [(TaskQueue("cap:gpu", Priority.NORMAL), wanted)]
    assert known.tasks[accepted.task_id] == TaskMessage.from_message(message)


async def test_a_repetition_counts_its_seconds_from_the_first_submission(
    broker: Broker, known: Known
) -> None:
    clock = iter([NOW, NOW.replace(hour=13)])
    submitter = submitter_over(broker, known, now=lambda: next(clock))
    options = TaskOptions(delay_seconds=60, expires_in_seconds=90, max_attempts=2)
    again = wish(task_data={"task_id": "mine"}, options=options)
    first = await submitter.submit(again)
    assert await submitter.submit(again) == first
    assert len(broker.published) == 1
