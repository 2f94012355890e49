"""Many submissions at once end as each of them would have alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from coordinator.broker.publisher import Outgoing
from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.errors import (
    BrokerUnavailable,
    Conflict,
    CoordinatorError,
    InvalidRequest,
    LedgerUnavailable,
    OutcomeUnknown,
    PublishRefused,
    TaskNotFound,
    TooManyLanes,
)
from coordinator.protocol.messages.new_task import NewTask
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_queue import TaskQueue
from coordinator.submission.batch_submitter import BatchSubmitter, Verdict
from coordinator.submission.per_id_lock import PerIdLock
from coordinator.submission.task_maker import Accepted, SubmitTask, TaskMaker

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
GPU = Requirements(capabilities=("gpu",))


class World:
    """The broker and the registry. ``ends`` says how the publish of a task ends, by its `n`."""

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self.ensured: list[TaskQueue] = []
        self.tasks: dict[str, TaskMessage] = {}
        self.asked: list[tuple[set[str], bool]] = []
        self.ends: Callable[[TaskMessage], CoordinatorError | None] = lambda _: None
        self.ledger: CoordinatorError | None = None
        self.patience = 60.0
        self.deadlines: set[float] = set()
        """By when what was published was to be answered."""
        self.opens = asyncio.Event()
        self.opens.set()

    def deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.patience

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline: float
    ) -> list[CoordinatorError | None]:
        self.deadlines.add(deadline)
        await asyncio.sleep(0)
        self.published += messages
        return [self.ends(TaskMessage.from_message(one.message)) for one in messages]

    async def ensure(
        self, source: TaskQueue, requirements: Requirements, *, by: str | None = None
    ) -> None:
        self.ensured.append(source)
        if requirements == GPU:
            raise TooManyLanes
        await self.opens.wait()

    async def submission(self, task_id: str, *, certain: bool = False) -> TaskMessage:
        raise TaskNotFound(task_id)

    async def submissions(
        self, task_ids: Collection[str], *, certain: bool = False
    ) -> dict[str, TaskMessage]:
        self.asked.append((set(task_ids), certain))
        await asyncio.sleep(0)
        if self.ledger is not None:
            raise self.ledger
        return {task_id: self.tasks[task_id] for task_id in task_ids if task_id in self.tasks}

    def note_submitted(self, task: NewTask) -> None:
        self.tasks[task.task_id] = task.model


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def batches(world: World) -> BatchSubmitter:
    return BatchSubmitter(
        publisher=world,
        ensure=world.ensure,
        tasks=world,
        maker=TaskMaker(secret=b"a secret of the tests", types=AnnouncedTypes(), now=lambda: NOW),
        one_at_a_time=PerIdLock(),
    )


def wish(n: int = 0, **fields: Any) -> SubmitTask:
    task_id = fields.pop("own_id", None)
    return SubmitTask(task_data={"n": n, "task_id": task_id}, **fields)


def kinds(verdicts: Sequence[Verdict]) -> list[type]:
    return [type(verdict) for verdict in verdicts]


async def test_tasks_are_published_in_order_and_each_lane_is_asked_for_once(
    batches: BatchSubmitter, world: World
) -> None:
    verdicts = await batches.submit_all([wish(n) for n in range(5)])
    told = [verdict.task_id for verdict in verdicts if isinstance(verdict, Accepted)]
    sent = [TaskMessage.from_message(one.message) for one in world.published]
    assert [task.task_id for task in sent] == told == list(world.tasks)
    assert [task.task_data["n"] for task in sent] == list(range(5))
    assert len(world.ensured) == 1
    assert not world.asked


async def test_what_is_wrong_with_one_is_told_of_that_one(
    batches: BatchSubmitter, world: World
) -> None:
    def ends(task: TaskMessage) -> CoordinatorError | None:
        return {3: OutcomeUnknown(), 4: BrokerUnavailable()}.get(task.task_data["n"])

    world.ends = ends
    verdicts = await batches.submit_all(
        [
            wish(1, timeout_seconds=-1),
            wish(2, requirements=GPU),
            wish(3, own_id="mine"),
            wish(4),
            wish(5),
        ]
    )
    assert kinds(verdicts) == [
        InvalidRequest,
        TooManyLanes,
        OutcomeUnknown,
        BrokerUnavailable,
        Accepted,
    ]
    unknown = verdicts[2]
    assert isinstance(unknown, OutcomeUnknown)
    assert unknown.task_id == "mine"
    assert [task.task_data["n"] for task in world.tasks.values()] == [5]


async def test_a_refusal_is_tried_once_more_and_then_told(
    batches: BatchSubmitter, world: World
) -> None:
    refusals = {1: 1, 2: 2}

    def ends(task: TaskMessage) -> CoordinatorError | None:
        left = refusals.get(task.task_data["n"], 0)
        refusals[task.task_data["n"]] = left - 1
        return PublishRefused() if left > 0 else None

    world.ends = ends
    verdicts = await batches.submit_all([wish(0), wish(1), wish(2)])
    assert kinds(verdicts) == [Accepted, Accepted, PublishRefused]
    assert len(world.published) == 5
    assert len(world.deadlines) == 1, "both tries together have the time of one"


async def test_queues_that_do_not_open_in_time_end_the_wait_and_nothing_is_sent_to_them(
    batches: BatchSubmitter, world: World
) -> None:
    world.patience = 0.05
    world.opens.clear()
    verdicts = await batches.submit_all([wish(1), wish(2, priority=Priority.HIGH), wish(3)])
    assert kinds(verdicts) == [BrokerUnavailable] * 3
    assert "nothing was sent" in str(verdicts[0])
    assert world.published == []


async def test_an_id_that_comes_twice_is_published_once(
    batches: BatchSubmitter, world: World
) -> None:
    verdicts = await batches.submit_all(
        [wish(1, own_id="a"), wish(1, own_id="a"), wish(2, own_id="a"), wish(3)]
    )
    assert verdicts[0] == verdicts[1]
    assert kinds(verdicts) == [Accepted, Accepted, Conflict, Accepted]
    assert len(world.published) == 2

    world.ends = lambda _: OutcomeUnknown()
    verdicts = await batches.submit_all([wish(1, own_id="b"), wish(1, own_id="b")])
    assert kinds(verdicts) == [OutcomeUnknown, OutcomeUnknown]
    assert len(world.published) == 3


async def test_known_ids_are_looked_up_in_one_question_and_answered_as_before(
    batches: BatchSubmitter, world: World
) -> None:
    again = [wish(n, own_id=f"id-{n}") for n in range(3)]
    first = await batches.submit_all(again)
    assert await batches.submit_all([*again, wish(9, own_id="id-9")]) != first
    assert (await batches.submit_all(again)) == first
    assert len(world.published) == 4
    assert world.asked[0] == ({"id-0", "id-1", "id-2"}, False)


async def test_a_repeated_batch_asks_for_certain_by_the_ids_that_it_was_given(
    batches: BatchSubmitter, world: World
) -> None:
    once = [wish(1, task_id="a"), wish(2, task_id="b")]
    first = await batches.submit_all(once)
    assert not world.asked
    again = [wish(1, task_id="a", repeated=True), wish(2, task_id="b", repeated=True)]
    assert await batches.submit_all(again) == first
    assert world.asked == [({"a", "b"}, True)]
    assert len(world.published) == 2


async def test_without_the_ledger_only_those_with_ids_of_their_own_wait(
    batches: BatchSubmitter, world: World
) -> None:
    world.ledger = LedgerUnavailable()
    verdicts = await batches.submit_all([wish(1, own_id="a"), wish(2)])
    assert kinds(verdicts) == [LedgerUnavailable, Accepted]


async def test_batches_at_the_same_time_that_share_ids_publish_each_once(
    batches: BatchSubmitter, world: World
) -> None:
    ids = [f"id-{n}" for n in range(10)]
    answers = await asyncio.gather(
        *(
            batches.submit_all([wish(own_id=task_id) for task_id in ids[::step]])
            for step in (1, -1, 3, -2)
        )
    )
    assert all(isinstance(verdict, Accepted) for verdicts in answers for verdict in verdicts)
    assert sorted(world.tasks) == ids
    assert len(world.published) == 10
