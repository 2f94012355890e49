"""Tasks that are sent round again by request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from coordinator.domain.dead_filter import DeadFilter
from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    WrongState,
)
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.protocol.task_token import task_token
from coordinator.recovery.task_redriver import CHUNK
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
from tests.unit.recovery.one_task import LIMIT, SECRET, World


def waiting() -> Task:
    return folded(submitted(), started(), failed())


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


@pytest.mark.parametrize("task_data", [None, {"task_type": "edited"}])
async def test_a_follow_up_task_stays_its_parents_and_bound_to_it(
    task_data: dict[str, Any] | None,
) -> None:
    world = World(folded(submitted(max_attempts=1), failed()))
    world.content = message(parent_id="parent", cancel_with_parent=3)
    await world.redriver.redrive("t", task_data=task_data)
    task, _ = dead(1)
    world.dead = [(task, message("t1", parent_id="parent", cancel_with_parent=3))]
    await world.redriver.redrive_dead(DeadFilter(), rate=None, limit=1)
    assert [(one.task_id, one.parent_id, one.cancel_with_parent) for one in world.published] == [
        ("t", "parent", 3),
        ("t1", "parent", 3),
    ]


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
