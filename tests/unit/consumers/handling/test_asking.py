"""A handler asks people: in a thread and on the loop, in its slot and giving it back."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from consumers import Task
from consumers._handling.answer_wait import AnswerWait, AsksPeople
from consumers._values.asked_question import LONGEST_HOLD, AskedQuestion, asked_question
from consumers.agent_timings import Backoff
from consumers.testing import Asked, run_task
from coordinator.protocol.messages.task_events import MAX_ANSWERS, MAX_QUESTION_BYTES
from coordinator.protocol.messages.task_message import InputAnswer

NOW_AND_THEN = Backoff(timedelta(seconds=0.01), timedelta(seconds=0.02))


async def test_what_is_asked_is_answered_in_its_order() -> None:
    async def handler(task: Task) -> list[Any]:
        return [await task.ask("one?"), await task.ask({"question": "two?"}, release=True)]

    ran = await run_task(handler, answers=["a", 2])
    assert ran.result == ["a", 2]
    assert ran.questions == ["one?", {"question": "two?"}]


async def test_a_plain_function_waits_in_its_thread() -> None:
    def handler(task: Task) -> Any:
        return task.ask("one?")

    assert (await run_task(handler, answers=[{"b": 1}])).result == {"b": 1}


@pytest.mark.parametrize("release", [False, True])
async def test_nobody_answers(release: bool) -> None:
    async def handler(task: Task) -> None:
        await task.ask("one?", release=release)

    ran = await run_task(handler)
    if release:
        assert isinstance(ran.outcome, Asked)
        assert ran.outcome.question.question == "one?"
    else:
        assert ran.error.type == "TimeoutError"


async def test_a_handler_that_catches_exceptions_is_released_all_the_same() -> None:
    async def handler(task: Task) -> str:
        try:
            return str(await task.ask("one?", release=True))
        except Exception:  # noqa: BLE001 - what many authors write
            return "caught"

    assert isinstance((await run_task(handler)).outcome, Asked)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"timeout": 0}, "more than 0 seconds"),
        ({"timeout": LONGEST_HOLD + 1}, "ask with release=True"),
        ({"question_id": ""}, "1 to 64 characters"),
        ({"question_id": "x" * 65}, "1 to 64 characters"),
        ({"question": "x" * MAX_QUESTION_BYTES}, "16384 are allowed"),
        ({"question": None}, "the question is None"),
        (
            {"question": {1, 2}},
            "must be a text or plain JSON (set has no form in JSON): make a list",
        ),
        ({"schema": {"a": b"b"}}, 'must be a text or plain JSON (at ["a"]: bytes has no form'),
    ],
)
async def test_what_cannot_be_asked_is_refused_where_it_is_asked(
    asked: dict[str, Any], why: str
) -> None:
    async def handler(task: Task) -> Any:
        question = asked.get("question", "one?")
        return await task.ask(question, **{k: v for k, v in asked.items() if k != "question"})

    ran = await run_task(handler, answers=["a"])
    assert ran.error.type == "ValueError"
    assert why in ran.error.message


async def test_no_more_is_asked_than_another_attempt_would_be_told() -> None:
    """It would ask the first question again, and people without end."""

    async def handler(task: Task) -> None:
        for number in range(MAX_ANSWERS + 1):
            await task.ask(f"{number}?", release=True)

    ran = await run_task(handler, answers=list(range(MAX_ANSWERS + 1)))
    assert (ran.error.type, len(ran.questions)) == ("ValueError", MAX_ANSWERS)
    assert "had 32 answers, which is all that another one is given" in ran.error.message


# --- the wait ---------------------------------------------------------------------------------


class People:
    def __init__(self) -> None:
        self.asked: list[int] = []
        self.resumed = 0
        self.again = asyncio.Event()

    def ask(self, asked: AskedQuestion, repeated: int) -> None:
        self.asked.append(repeated)
        if repeated >= 2:
            self.again.set()

    def resume(self, asked: AskedQuestion) -> None:
        self.resumed += 1


def question(timeout: float | None = None, text: str = "one?") -> AskedQuestion:
    return asked_question(text, question_id="1", schema=None, timeout=timeout, release=False)


def waiting(people: People, told: list[str], *known: InputAnswer) -> AnswerWait:
    return AnswerWait(
        AsksPeople(people.ask, people.resume),
        known=known,
        again=NOW_AND_THEN,
        pause=lambda: told.append("pause"),
        go_on=lambda: told.append("go on"),
    )


def answer_to(asked: AskedQuestion, said: Any) -> InputAnswer:
    return InputAnswer(question_id=asked.question_id, question_digest=asked.digest, answer=said)


async def test_it_asks_again_until_there_is_an_answer_while_the_clock_stands_still() -> None:
    people, told = People(), list[str]()
    wait, asked = waiting(people, told), question()
    answer = asyncio.create_task(wait.answer_to(asked))
    await people.again.wait()
    assert told == ["pause"]
    wait.give(answer_to(question(text="another?"), "wrong"))
    wait.give(answer_to(asked, "yes"))
    assert await answer == "yes"
    assert people.asked[:3] == [0, 1, 2]
    assert (told, people.resumed) == (["pause", "go on"], 0)
    assert await wait.answer_to(asked) == "yes"  # known by now


async def test_an_answer_of_before_is_there_at_once() -> None:
    people = People()
    asked = question()
    wait = waiting(people, [], answer_to(asked, None))
    assert await wait.answer_to(asked) is None
    assert people.asked == []


async def test_it_is_told_that_an_attempt_goes_on_without_an_answer() -> None:
    people, told = People(), list[str]()
    wait = waiting(people, told)
    with pytest.raises(TimeoutError, match="nobody has answered the question '1' in time"):
        await wait.answer_to(question(timeout=0.01))
    assert (people.resumed, told) == (1, ["pause", "go on"])


async def test_a_handler_may_give_up_waiting_by_itself() -> None:
    people, told = People(), list[str]()
    wait = waiting(people, told)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait.answer_to(question()), 0.01)
    assert (people.resumed, told) == (1, ["pause", "go on"])
    wait.give(answer_to(question(), "late"))


async def test_two_questions_at_once_are_asked_one_after_the_other() -> None:
    people = People()
    wait = waiting(people, [])
    first, second = question(), question(text="two?")
    both = asyncio.gather(wait.answer_to(first), wait.answer_to(second))
    await people.again.wait()
    wait.give(answer_to(second, "early"))
    wait.give(answer_to(first, "a"))
    people.again.clear()
    await people.again.wait()
    wait.give(answer_to(second, "b"))
    assert list(await both) == ["a", "b"]
