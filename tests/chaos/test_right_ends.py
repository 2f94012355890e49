"""The judgement of ends itself: what is right for a task, what is excused, and what is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from consumers import Task
from consumers._handling.sys_exit_containment import IN_HANDLER, tasks_contained
from consumers.outcome import Failed, Outcome, completed_with, failed_with
from consumers.testing import run_task
from coordinator.protocol.messages.events import CRASH_LOOP
from tests.chaos.asking import QUESTIONS, answer_for, ask_all
from tests.chaos.faults import Injected
from tests.chaos.misbehaving import MISBEHAVIOURS, Misbehaviour
from tests.chaos.right_ends import Ended, Loss, unasked_losses, unexplained_losses, wrong_ends
from tests.chaos.workload import End, Wish, every_slot, one_for_each_queue, one_of_each_kind

COMPLETED = End(state="completed")
CANCELLED = End(state="cancelled")
LOST = End(state="dead", error_type="AttemptLost")


def wish(*, requirements: dict[str, Any] | None = None, **data: Any) -> Wish:
    body = {"task_data": {"number": 1} | data, "requirements": requirements or {}}
    return Wish(number=1, body=body)


def of_foreign(**data: Any) -> Wish:
    return wish(requirements={"agent_id": "fay"}, **data)


def dead(error_type: str) -> End:
    return End(state="dead", error_type=error_type)


def wrong(asked: Wish, end: End, *, attempt: int = 1, losses: int = 0, **more: Any) -> bool:
    given: dict[str, Any] = {"cancelling": (), "declined": ()} | more
    ended = {"t": Ended(end=end, attempt=attempt)}
    lost = [Loss(task_id="t", agent="ada", at=100.0)] * losses
    return bool(wrong_ends(ended, {"t": asked}, losses=lost, **given))


@pytest.mark.parametrize(
    ("asked", "end"),
    [
        (wish(), COMPLETED),
        (wish(failures=2), COMPLETED),
        (wish(failures=3), dead("RuntimeError")),
        (wish(failures=3, misbehaves="unprintable"), dead("Unprintable")),
        (wish(failures=1, misbehaves="exits"), COMPLETED),
        (wish(failures=1, misbehaves="set"), dead("ResultNotJson")),
        (of_foreign(failures=3), LOST),
    ],
)
def test_the_right_end_follows_from_what_the_handler_is_asked_for(asked: Wish, end: End) -> None:
    assert asked.right_end == end


def test_an_attempt_that_ends_with_a_question_is_one_execution_more_and_costs_no_attempt() -> None:
    asked = wish(asks="one of each")
    assert (asked.due, asked.releases, asked.right_end) == (2, 1, COMPLETED)
    assert wrong(asked, dead("WrongAnswer"))
    held = wish(asks="held, nobody answers")
    assert (held.due, held.releases) == (1, 0)


@pytest.mark.parametrize("asks", QUESTIONS)
async def test_a_handler_is_content_with_the_answers_of_people_and_with_no_others(
    asks: str,
) -> None:
    async def handler(task: Task) -> None:
        await ask_all(task, asks)

    def answers(said: Callable[[dict[str, Any]], Any]) -> list[Any]:
        questions = [
            {"of": 1, "number": number, "unheard": one.unheard}
            for number, one in enumerate(QUESTIONS[asks])
        ]
        return [said(question) for question in questions]

    right = await run_task(handler, {"number": 1}, answers=answers(answer_for))
    assert right.result is None
    another = await run_task(handler, {"number": 1}, answers=answers(lambda _: "another's"))
    assert another.error.type == "WrongAnswer"


def test_only_the_right_end_is_right() -> None:
    asked = wish(failures=3, misbehaves="says-nothing")
    assert not wrong(asked, dead("SaysNothing"), attempt=3)
    for end in (COMPLETED, CANCELLED, LOST, dead("RuntimeError"), End(state="expired")):
        assert wrong(asked, end, attempt=3), end
    assert wrong(wish(), dead("RuntimeError"))


def test_a_task_is_completed_by_an_attempt_that_goes_well() -> None:
    assert not wrong(wish(failures=1), COMPLETED, attempt=2)
    assert wrong(wish(failures=1), COMPLETED, attempt=1)


def test_what_somebody_asked_to_cancel_may_be_cancelled() -> None:
    assert not wrong(wish(), CANCELLED, cancelling={"t"})
    assert wrong(wish(), CANCELLED, cancelling={"another"})


def test_crash_loops_are_judged_elsewhere() -> None:
    assert not wrong(wish(), dead(CRASH_LOOP.type))


def test_a_task_is_given_back_where_that_was_asked_and_nowhere_else() -> None:
    assert not wrong(of_foreign(declined=True), COMPLETED, declined={"t"})
    assert wrong(of_foreign(declined=True), COMPLETED)
    assert wrong(wish(), COMPLETED, declined={"t"})


def test_as_many_attempts_are_given_up_as_have_lost_their_outcome() -> None:
    once = of_foreign(failures=1)
    assert not wrong(once, COMPLETED, attempt=2, losses=1)
    assert wrong(once, COMPLETED, attempt=2)
    assert wrong(once, LOST, losses=1)
    assert not wrong(once, LOST, losses=2)
    only = replace(once, body=once.body | {"max_attempts": 1})
    assert not wrong(only, LOST, losses=1)
    assert wrong(only, LOST)


def test_a_loss_beyond_those_asked_for_is_explained_by_a_long_silence_of_its_agent() -> None:
    losses = [Loss(task_id="t", agent="ada", at=at) for at in (100.0, 200.0)]
    assert unasked_losses(losses, {"t": of_foreign(failures=1)}) == losses[1:]
    assert unasked_losses(losses, {"t": wish(failures=2)}) == losses
    late = losses[1:]
    long = Injected("agent suspended", "ada", frozenset({"ada"}), began=170.0, ended=185.0)
    assert unexplained_losses(late, [long], after=20) == []
    for none in (
        replace(long, ended=171.0, began=170.0),
        replace(long, agents=frozenset({"bob"})),
        replace(long, began=201.0, ended=230.0),
    ):
        assert unexplained_losses(late, [none], after=20) == late


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_a_misbehaviour_ends_its_attempt_as_it_says(name: str) -> None:
    asked = MISBEHAVIOURS[name]
    with tasks_contained(asyncio.get_running_loop()):
        outcome = await asyncio.create_task(handled(asked))
    assert isinstance(outcome, Failed)
    assert (outcome.error.type, outcome.retryable) == (asked.error_type, asked.retried)


async def handled(asked: Misbehaviour) -> Outcome:
    """As by an agent."""
    IN_HANDLER.set(True)
    try:
        return completed_with(await asked.act(), max_bytes=10_000)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - of any kind
        return failed_with(exc)


def test_no_two_wishes_have_a_number_in_common() -> None:
    given = [*one_for_each_queue(), *one_for_each_queue(1), *one_of_each_kind(), *every_slot()]
    numbers = [one.number for one in given]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 0
