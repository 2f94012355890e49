"""What a cancel and a redrive do where the log, or the broker, has another word."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from coordinator.domain.announced_types import AnnouncedTypes
from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    LedgerUnavailable,
    MessageTooLarge,
    WrongState,
)
from coordinator.protocol.message import Message
from coordinator.protocol.messages.events import Event, TaskCancelled
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_token import task_token
from coordinator.protocol.topology import LOG
from coordinator.recovery.redrive import CHUNK, Redriver
from coordinator.recovery.task_cancellation import Canceller
from tests.unit.domain.histories import (
    at,
    cancelled,
    completed,
    dead_lettered,
    expired,
    failed,
    folded,
    message,
    progressed,
    started,
    submitted,
)

SECRET = b"s" * 32
LIMIT = 2000
"""Bytes that the broker takes in one message."""

T = TypeVar("T")


class World:
    """The rest of a coordinator: one task, dead ones, and a broker."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.meanwhile: list[Event] = []
        """Folded before what is published, and known once the ledger has caught up."""
        self.behind: Exception | None = None
        self.sent: list[str] = []
        """What was published in its turn."""
        self.given_back: list[str] = []
        self.ledger_away = False
        self.refuse_after: int | None = None
        self.dead: list[tuple[Task, TaskMessage]] = []
        self.anothers: set[str] = set()
        """Dead tasks that somebody else redrives at this moment."""
        self.published: list[TaskMessage] = []
        self.withdrawn: list[tuple[str, int]] = []
        self.canceller = Canceller(
            find=self.find,
            turns=self,
            settle=self._catch_up,
            publisher=self,
            outbox=self,
            note=self._note_event,
        )
        self.redriver = Redriver(
            turns=self,
            dead=self,
            publisher=self,
            secret=SECRET,
            types=AnnouncedTypes(),
            note=lambda _: None,
            now=lambda: at(100),
        )

    async def find(self, task_id: str) -> tuple[Task, TaskMessage]:
        assert task_id == "t"
        return self.task, message(timeout_seconds=7, expires_at=at(60))

    async def publish(self, message: Message, **where: Any) -> None:
        if message.type != "task":
            return
        if self.refuse_after is not None and len(self.published) >= self.refuse_after:
            raise BrokerUnavailable
        assert where == {"exchange": "", "key": LOG, "mandatory": True}
        if len(message.body) > LIMIT:
            raise MessageTooLarge(len(message.body), LIMIT)
        self.published.append(TaskMessage.from_message(message))

    async def take(self, task_id: str, decide: Callable[[Task, TaskMessage], tuple[str, T]]) -> T:
        return decide(*await self.find(task_id))[1]

    @asynccontextmanager
    async def sending(self, event_id: str) -> AsyncIterator[None]:
        try:
            yield
        except (BrokerUnavailable, MessageTooLarge):
            self.given_back.append(event_id)
            raise
        self.sent.append(event_id)

    async def take_dead(
        self,
        _: DeadFilter,
        *,
        after: Task | None,
        most: int,
        event_id: Callable[[Task], str],
    ) -> tuple[Task | None, list[tuple[Task, TaskMessage]]]:
        start = 0 if after is None else [task for task, _ in self.dead].index(after) + 1
        found = self.dead[start : start + most]
        mine = [(task, content) for task, content in found if task.task_id not in self.anothers]
        assert all(event_id(task) == f"{task.task_id}.2.1.scheduled" for task, _ in mine)
        return (found[-1][0] if found else None), mine

    def _note_event(self, event: Event) -> None:
        self.noted = event
        if self.behind is not None:
            self.task = folded(event, onto=self.task)

    async def _catch_up(self) -> None:
        if self.behind is not None:
            raise self.behind
        self.task = folded(*self.meanwhile, self.noted, onto=self.task)

    async def withdraw(self, task_id: str, generation: int) -> None:
        if self.ledger_away:
            raise LedgerUnavailable
        self.withdrawn.append((task_id, generation))

    async def count(self, _: DeadFilter) -> int:
        return len(self.dead)


def waiting() -> Task:
    return folded(submitted(), started(), failed())


async def test_what_ended_a_moment_before_is_not_said_to_be_cancelled() -> None:
    world = World(folded(submitted(), started()))
    world.meanwhile = [completed()]
    with pytest.raises(WrongState, match="completed already: it ended just before"):
        await world.canceller.cancel("t")


@pytest.mark.parametrize("behind", [LedgerBehind(), BrokerUnavailable()])
async def test_a_cancel_is_told_by_what_is_known_where_the_ledger_is_behind(
    behind: Exception,
) -> None:
    world = World(folded(submitted(), started()))
    world.meanwhile = [completed()]
    world.behind = behind
    assert (await world.canceller.cancel("t")).was is State.RUNNING


async def test_a_task_that_was_sent_round_again_after_its_cancel_was_cancelled() -> None:
    world = World(folded(submitted(), started()))
    world.meanwhile = [completed()]
    world.behind = LedgerBehind()
    find = world.find

    async def later(task_id: str) -> tuple[Task, TaskMessage]:
        task, content = await find(task_id)
        return task._replace(generation=2, outcome="another") if task.ended else task, content

    world.canceller._find = later
    assert (await world.canceller.cancel("t")).was is State.RUNNING


async def test_an_attempt_that_waits_is_taken_out_of_the_outbox() -> None:
    world = World(waiting())
    done = await world.canceller.cancel("t", "by mistake")
    assert (done.was, world.withdrawn) == (State.WAITING, [("t", 1)])
    assert world.task.error == {
        "type": "Cancelled",
        "message": "by mistake",
        "retryable": False,
    }


async def test_a_cancel_counts_although_the_ledger_is_away() -> None:
    world = World(waiting())
    world.ledger_away = True
    assert (await world.canceller.cancel("t")).was is State.WAITING


async def test_a_reason_called_cleared_is_only_a_reason() -> None:
    """The word has a meaning in the law, which nobody may use by chance."""
    world = World(folded(submitted(), started(), submitted(attempt=2), started(attempt=2)))
    await world.canceller.cancel("t", "cleared")
    assert world.task.state is State.CANCELLED
    assert TaskCancelled(task_id="t", reason="requested").message is None


@pytest.mark.parametrize(
    ("task", "state"),
    [
        (folded(submitted(max_attempts=1), started(), progressed(0.5), failed()), State.DEAD),
        (folded(submitted(), cancelled()), State.CANCELLED),
        (folded(submitted(), expired()), State.EXPIRED),
    ],
)
async def test_what_did_not_get_done_is_tried_again_as_a_new_generation(
    task: Task, state: State
) -> None:
    world = World(task)
    done = await world.redriver.redrive("t", delay=timedelta(seconds=5))
    assert (done.was, done.generation, done.due) == (state, 2, at(105))
    (again,) = world.published
    assert done.task == again
    assert (again.generation, again.attempt, again.not_before) == (2, 1, at(105))
    assert (again.timeout_seconds, again.expires_at) == (7, None)
    assert again.previous_progress == task.progress
    assert again.task_token == task_token(SECRET, "t", 2, 1)
    after = folded(
        Event(id=again.message_id, data=submitted(generation=2, not_before=at(105)).data), onto=task
    )
    assert (after.state, after.generation) == (State.SCHEDULED, 2)


@pytest.mark.parametrize("task", [folded(submitted()), folded(submitted(), completed()), waiting()])
async def test_nothing_else_is_tried_again(task: Task) -> None:
    world = World(task)
    with pytest.raises(WrongState, match=f"is {task.state}: only one that is dead"):
        await world.redriver.redrive("t")
    assert world.published == []


def dead(number: int) -> tuple[Task, TaskMessage]:
    task = folded(submitted(max_attempts=1), dead_lettered("rejected", max_attempts=1))
    return task._replace(task_id=f"t{number}"), message(f"t{number}")


async def test_dead_tasks_go_round_again_at_a_rate_and_in_turn() -> None:
    world = World(waiting())
    world.dead = [dead(number) for number in range(CHUNK + 50)]
    done = await world.redriver.redrive_dead(DeadFilter(), rate=10, limit=CHUNK + 20)
    assert (done.matched, done.redriven) == (CHUNK + 50, CHUNK + 20)
    assert [task.task_id for task in world.published] == [f"t{n}" for n in range(CHUNK + 20)]
    assert [task.not_before for task in world.published[:3]] == [at(100), at(100.1), at(100.2)]
    assert done.last_due == at(100 + (CHUNK + 19) / 10)


async def test_what_others_redrive_at_the_moment_is_not_counted() -> None:
    world = World(waiting())
    world.dead = [dead(number) for number in range(5)]
    world.anothers = {"t1", "t3", "t4"}
    done = await world.redriver.redrive_dead(DeadFilter(), rate=1, limit=3)
    assert (done.matched, done.redriven, done.last_due) == (5, 2, at(101))
    assert [task.task_id for task in world.published] == ["t0", "t2"]


async def test_what_the_broker_does_not_take_any_more_holds_up_no_other_redrive() -> None:
    world = World(waiting())
    world.dead = [dead(number) for number in range(CHUNK + 5)]
    large = message("t1", task_data={"text": "x" * LIMIT})
    world.dead[1] = world.dead[1][0], large
    done = await world.redriver.redrive_dead(DeadFilter(), rate=1, limit=1000)
    assert (done.matched, done.redriven, done.too_large) == (CHUNK + 5, CHUNK + 4, 1)
    assert "t1" not in {task.task_id for task in world.published}
    assert world.given_back == ["t1.2.1.scheduled"]


async def test_a_redrive_that_is_too_large_for_its_progress_alone_goes_without_it() -> None:
    told = progressed(0.4, message="x" * LIMIT)
    world = World(folded(submitted(max_attempts=1), started(), told, failed()))
    await world.redriver.redrive("t")
    (again,) = world.published
    assert again.previous_progress is None


async def test_a_redrive_that_breaks_off_says_so_and_a_dry_one_sends_nothing() -> None:
    world = World(waiting())
    world.dead = [dead(number) for number in range(3)]
    dry = await world.redriver.redrive_dead(DeadFilter(), rate=None, limit=10, dry_run=True)
    assert (dry.matched, dry.redriven, world.published) == (3, 0, [])
    world.refuse_after = 2
    with pytest.raises(BrokerUnavailable):
        await world.redriver.redrive_dead(DeadFilter(), rate=None, limit=10)
    assert len(world.published) == 2
    assert sorted(world.sent) == ["t0.2.1.scheduled", "t1.2.1.scheduled"]
    assert world.given_back == ["t2.2.1.scheduled"]
