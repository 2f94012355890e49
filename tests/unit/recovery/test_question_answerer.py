"""What an answer to a question does where the log has another word, and what is none."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest

from coordinator.domain.task import Question, Task
from coordinator.errors import (
    BrokerUnavailable,
    InvalidRequest,
    LedgerBehind,
    Unavailable,
    WrongState,
)
from coordinator.protocol.messages.events import TaskAnswered
from coordinator.protocol.messages.task_message import TaskMessage
from coordinator.recovery.questions.answer_check import MAX_ANSWER_BYTES, check_answer
from coordinator.recovery.questions.schema_check import PROCESS, SchemaCheck
from tests.unit.domain.histories import (
    answered,
    asked,
    at,
    completed,
    folded,
    message,
    resumed,
    started,
    submitted,
)
from tests.unit.recovery.one_task import World


def asking(**more: Any) -> Task:
    return folded(submitted(), started(), asked(**more))


async def test_the_answer_is_published_and_told() -> None:
    world = World(asking(release=True))
    done = await world.answerer.answer("t", "yes", by="key:ann")
    assert (done.question_id, done.released) == ("1", True)
    data = world.noted.data
    assert isinstance(data, TaskAnswered)
    assert (data.answer, data.by, data.attempt) == ("yes", "key:ann", 1)


async def test_an_attempt_that_went_on_just_before_has_no_answer() -> None:
    world = World(asking())
    world.meanwhile = [resumed()]
    with pytest.raises(WrongState, match="went on without this answer"):
        await world.answerer.answer("t", "yes")


async def test_a_task_that_ended_just_before_has_no_answer() -> None:
    world = World(asking())
    world.meanwhile = [completed()]
    with pytest.raises(WrongState, match="is completed: it went on"):
        await world.answerer.answer("t", "yes")


@pytest.mark.parametrize("behind", [LedgerBehind(), BrokerUnavailable()])
async def test_it_is_told_by_what_is_known_where_the_ledger_is_behind(behind: Exception) -> None:
    world = World(asking())
    world.behind = behind
    assert (await world.answerer.answer("t", "yes")).question_id == "1"


@pytest.mark.parametrize("question_id", [None, "1"])
async def test_the_same_answer_again_is_no_error(question_id: str | None) -> None:
    world = World(folded(answered({"a": 1, "b": 2}), onto=asking()))
    done = await world.answerer.answer("t", {"a": 1, "b": 2}, question_id=question_id)
    assert done.answered_at == at(10)
    assert world.sent == []


@pytest.mark.parametrize(
    ("task", "question_id", "why"),
    [
        (folded(submitted(), started()), None, "is running: it asks nothing"),
        (asking(), "2", "asks '1' now, and not '2'"),
        (folded(answered(), onto=asking()), None, "is running: it asks nothing"),
        (folded(answered(), onto=asking()), "1", "'1' has another answer already"),
        (folded(answered(None, timed_out=True), onto=asking()), "1", "'1' timed out"),
        (folded(completed(), onto=asking()), None, "is completed: it asks nothing"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    task: Task, question_id: str | None, why: str
) -> None:
    world = World(task)
    with pytest.raises(WrongState, match=why):
        await world.answerer.answer("t", "no", question_id=question_id)
    assert world.sent == []


# --- what is an answer ------------------------------------------------------------------------


def question(text: Any = "go on?", schema: dict[str, Any] | None = None) -> Question:
    return Question("1", text, 1, "ada", at(1), answer_schema=schema)


CHOICES = {"question": "go on?", "choices": ["yes", 1, {"later": True}]}


@pytest.mark.parametrize("said", ["yes", 1, {"later": True}])
def test_a_choice_is_an_answer(said: Any) -> None:
    check_answer(question(CHOICES), said)


@pytest.mark.parametrize("said", ["no", True, 1.5, {"later": 1}, None, ["yes"]])
def test_nothing_else_is(said: Any) -> None:
    with pytest.raises(InvalidRequest, match=r'answer must be one of \["yes",1,'):
        check_answer(question(CHOICES), said)


@pytest.mark.parametrize("text", ["go on?", {"choices": []}, {"choices": "yes"}, ["yes"], None])
def test_without_choices_anything_is_an_answer(text: Any) -> None:
    check_answer(question(text), {"a": [1, None]})


async def test_a_schema_counts_in_place_of_choices() -> None:
    schema = {"type": "object", "properties": {"days": {"type": "integer", "maximum": 3}}}
    world = World(asking(question=CHOICES, answer_schema=schema))
    with pytest.raises(InvalidRequest, match=r"answer\['days'\]: 4 is greater than the maximum"):
        await world.answerer.answer("t", {"days": 4})
    await world.answerer.answer("t", {"days": 3})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "text"},
        {"pattern": "("},
        {"$ref": "#/nowhere"},
        {"$ref": "https://schemas.example/a.json"},
        {"$schema": "https://schemas.example/meta.json"},
    ],
)
async def test_nobody_can_answer_by_a_schema_that_is_none(schema: dict[str, Any]) -> None:
    with pytest.raises(WrongState, match="its schema is not valid"):
        await SchemaCheck()(schema, "yes")


BUSY = f"""
import runpy
runpy.run_path({PROCESS[-1]!r})["_limit"]()
while True:
    pass
"""


async def test_a_schema_that_takes_too_long_ends_with_its_process_alone() -> None:
    """In the place of one that does: the limits are those of the process."""
    with pytest.raises(WrongState, match="Nobody can answer this question: to judge"):
        await SchemaCheck(process=(sys.executable, "-c", BUSY))({}, 1)


async def test_an_answer_that_no_schema_can_judge_is_told_so() -> None:
    with pytest.raises(InvalidRequest, match="answer: cannot be judged by the schema"):
        await SchemaCheck()({"type": "string"}, "\ud800")


async def test_an_answer_that_cannot_be_judged_now_may_be_sent_again() -> None:
    with pytest.raises(Unavailable, match="try again shortly"):
        await SchemaCheck(within=timedelta())({"type": "string"}, "yes")


async def test_what_is_asked_meanwhile_is_not_answered_by_what_was_judged_before() -> None:
    first = asking(answer_schema={"type": "integer"})
    world = World(asking(answer_schema={"type": "string"}))

    async def found_before(task_id: str) -> tuple[Task, TaskMessage]:
        return first, message(task_id)

    world.answerer._find = found_before
    with pytest.raises(WrongState, match="asks something else since a moment"):
        await world.answerer.answer("t", 1)
    assert world.sent == []


def test_an_answer_has_its_limit() -> None:
    with pytest.raises(InvalidRequest, match="16384 are allowed: store it elsewhere"):
        check_answer(question(), "x" * MAX_ANSWER_BYTES)
