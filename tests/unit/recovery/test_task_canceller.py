"""What a cancel and a redrive do where the log, or the broker, has another word."""

from __future__ import annotations

import pytest

from coordinator.domain.task import State, Task
from coordinator.errors import (
    BrokerUnavailable,
    LedgerBehind,
    WrongState,
)
from coordinator.protocol.messages.events import TaskCancelled
from coordinator.protocol.messages.task_message import TaskMessage
from tests.unit.domain.histories import (
    completed,
    failed,
    folded,
    started,
    submitted,
)
from tests.unit.recovery.one_task import World


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
