"""The law of questions: what an attempt asks, who is told the answer, and what does not change meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.task import State, Task
from coordinator.domain.transitions.effects import AnswerAgent, CancelOnAgent, PublishAt
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_events import MAX_ANSWERS
from tests.unit.domain.histories import (
    MAX_ATTEMPTS,
    RULES,
    START,
    all_events,
    answered,
    asked,
    at,
    cancelled,
    completed,
    dead_lettered,
    expired,
    failed,
    folded,
    lost,
    progressed,
    resumed,
    started,
    submitted,
)

RELEASED = asked(release=True)


def asking() -> Task:
    return folded(submitted(), started(), asked())


# --- in the slot ------------------------------------------------------------------------------


def test_an_attempt_that_asks_waits_for_input_and_goes_on_with_the_answer() -> None:
    task = asking()
    assert (task.state, task.agent_id) == (State.INPUT_REQUIRED, "ada")
    assert task.question is not None
    assert (task.question.question, task.question.asked_at) == ("go on?", at(2))
    end = fold(task, answered(by="key:ann"), RULES)
    assert (end.task.state, end.task.question) == (State.RUNNING, None)
    (told,) = end.effects
    assert isinstance(told, AnswerAgent)
    assert (told.agent_id, told.answer.answer, told.answer.by) == ("ada", "yes", "key:ann")


def test_a_start_that_is_told_late_changes_nothing_of_the_question() -> None:
    task = folded(submitted(), asked(), started())
    assert (task.state, task.starts) == (State.INPUT_REQUIRED, 1)


def test_a_question_proves_the_start() -> None:
    task = folded(submitted(), asked())
    assert (task.state, task.agent_id, task.starts) == (State.INPUT_REQUIRED, "ada", 1)


def test_a_word_of_progress_leaves_it_waiting_for_input() -> None:
    assert folded(progressed(0.5), onto=asking()).state is State.INPUT_REQUIRED


def test_a_question_asked_again_counts_from_when_it_was_asked_first() -> None:
    task = folded(submitted(), started(), asked(timeout_seconds=60, seconds=2))
    again = folded(asked(timeout_seconds=60, seconds=30, repeated=1), onto=task)
    assert again.question is not None
    assert again.question.until == at(62)


def test_who_asks_what_was_answered_is_given_the_answer_again() -> None:
    task = folded(answered(), onto=asking())
    end = fold(task, asked(seconds=20, repeated=1), RULES)
    assert end.task.state is State.RUNNING
    (told,) = end.effects
    assert isinstance(told, AnswerAgent)
    assert told.answer.answer == "yes"


def test_another_question_under_the_same_id_has_no_answer() -> None:
    task = folded(answered(), asked("and now?", seconds=20), onto=asking())
    assert task.state is State.INPUT_REQUIRED
    assert folded(answered("no", "and now?"), onto=task).answers[-1].answer == "no"


def test_two_questions_under_one_id_keep_the_answer_of_each() -> None:
    """An attempt that begins anew asks the first again, and then the second."""
    task = folded(
        answered(), asked("and now?", seconds=20), answered("no", "and now?"), onto=asking()
    )
    assert [one.answer for one in task.answers] == ["yes", "no"]


def test_a_question_that_is_told_late_takes_no_later_one_away() -> None:
    task = folded(answered(), asked("and now?", seconds=20, question_id="2"), onto=asking())
    end = fold(task, asked(seconds=30, repeated=1), RULES)
    assert end.task == task
    assert [type(told) for told in end.effects] == [AnswerAgent]


def test_an_answer_to_another_question_is_none() -> None:
    task = asking()
    for other in (answered(question="what?"), answered(question_id="2")):
        assert folded(other, onto=task) == task


def test_an_attempt_may_go_on_without_an_answer() -> None:
    task = folded(resumed(), onto=asking())
    assert (task.state, task.question) == (State.RUNNING, None)
    assert folded(answered(), onto=task) == task


def test_an_agent_that_was_lost_over_its_question_leaves_it_to_be_answered() -> None:
    task = folded(lost(), onto=asking())
    assert task.state is State.WAITING
    task = folded(answered(), onto=task)
    assert task.state is State.WAITING
    task = folded(submitted(attempt=2), started("bob", attempt=2), onto=task)
    end = fold(task, asked(agent_id="bob", attempt=2, seconds=30), RULES)
    assert end.task.state is State.RUNNING
    assert [type(effect) for effect in end.effects] == [AnswerAgent]


def test_a_failure_takes_the_question_with_it() -> None:
    assert folded(failed(), onto=asking()).question is None


@pytest.mark.parametrize("end", [completed(), cancelled(), failed(retryable=False)])
def test_an_end_takes_the_question_with_it(end: Event) -> None:
    task = folded(end, onto=asking())
    assert task.ended
    assert task.question is None
    assert folded(answered(), onto=task) == task


def test_who_asks_for_a_task_that_has_ended_is_told_to_stop() -> None:
    end = fold(folded(submitted(), cancelled()), asked(), RULES)
    assert [type(effect) for effect in end.effects] == [CancelOnAgent]


@pytest.mark.parametrize("told", [resumed(), answered()])
def test_what_was_asked_had_begun_before_its_message_was_folded(told: Event) -> None:
    """It is not scheduled any more, whatever its message asked for."""
    assert folded(told, submitted(not_before=at(50))).state is not State.SCHEDULED


# --- giving the slot back ---------------------------------------------------------------------


def test_an_attempt_that_gives_its_slot_back_is_followed_by_another_with_the_answer() -> None:
    task = folded(submitted(), started(), RELEASED)
    assert (task.state, task.agent_id, task.runners) == (State.INPUT_REQUIRED, None, ())
    end = fold(task, answered(), RULES)
    assert end.task.state is State.WAITING
    assert end.effects == (PublishAt(task_id="t", generation=1, attempt=2, due=START),)
    assert end.task.answers[0].answer == "yes"


def test_an_attempt_that_asks_counts_for_none() -> None:
    task = folded(submitted(), started(), RELEASED, answered())
    for attempt in range(2, MAX_ATTEMPTS + 2):
        assert not task.ended
        task = folded(
            submitted(attempt=attempt, max_attempts=MAX_ATTEMPTS + 1),
            started(attempt=attempt),
            failed(attempt=attempt),
            onto=task,
        )
    assert (task.state, task.failures) == (State.DEAD, MAX_ATTEMPTS)


def test_that_is_so_where_its_own_message_is_folded_late() -> None:
    early = folded(started(), RELEASED, submitted())
    assert early.max_attempts == MAX_ATTEMPTS + 1


def test_a_deadline_waits_while_people_are_asked() -> None:
    task = folded(submitted(expires_at=at(60)), started(), RELEASED)
    assert folded(expired(seconds=61), onto=task).state is State.INPUT_REQUIRED
    assert folded(answered(seconds=102), onto=task).expires_at == at(160)
    kept = folded(submitted(expires_at=at(60)), started(), asked(), answered(seconds=102))
    assert kept.expires_at == at(160)


def test_a_deadline_waits_until_the_agent_that_asked_is_lost() -> None:
    task = folded(submitted(expires_at=at(60)), started(), asked(seconds=2), lost(seconds=102))
    assert (task.state, task.expires_at) == (State.WAITING, at(160))
    assert folded(answered(seconds=110), onto=task).expires_at == at(168)
    again = [
        submitted(attempt=2),
        started("bob", 2, 104),
        asked(agent_id="bob", attempt=2, seconds=105),
    ]
    assert folded(*again, onto=task).expires_at == at(163)


def test_a_message_that_comes_back_after_its_deadline_ends_no_task_that_asks_people() -> None:
    """Its agent was lost meanwhile, and the next goes by the deadline that the message has."""
    task = folded(submitted(expires_at=at(60)), started(), asked(seconds=2))
    late = dead_lettered("rejected", seconds=102, expires_at=at(60))
    end = fold(task, late, RULES)
    assert (end.task.state, end.task.expires_at, end.task.failures) == (State.WAITING, at(160), 0)
    assert end.effects == (PublishAt(task_id="t", generation=1, attempt=2, due=START),)
    assert folded(answered(seconds=103), onto=end.task).answers
    assert folded(late, onto=folded(answered(seconds=70), onto=task)).state is State.WAITING


def test_that_is_so_where_its_slot_was_given_back() -> None:
    task = folded(submitted(expires_at=at(60)), started(), RELEASED)
    late = dead_lettered("rejected", seconds=102, expires_at=at(60))
    task = folded(late, onto=task)
    assert task.state is State.INPUT_REQUIRED
    assert folded(answered(seconds=103), onto=task).state is State.WAITING


def test_a_deadline_ends_a_task_that_was_asked_for_after_it() -> None:
    task = folded(submitted(expires_at=at(60)), started(seconds=50), asked(seconds=61))
    late = dead_lettered("rejected", seconds=102, expires_at=at(60))
    assert folded(late, onto=task).state is State.EXPIRED


def test_an_agent_that_is_lost_again_and_again_is_counted() -> None:
    task = folded(submitted(expires_at=at(60)), started(), asked(seconds=2))
    for attempt in range(1, 4):
        came_back = dead_lettered("rejected", attempt, seconds=102 * attempt, expires_at=at(60))
        task = folded(came_back, onto=task)
        task = folded(
            submitted(attempt=attempt + 1),
            started(attempt=attempt + 1, seconds=102 * attempt + 1),
            asked(attempt=attempt + 1, seconds=102 * attempt + 2),
            onto=task,
        )
    assert task.failures == 1


def test_the_time_of_a_question_may_be_over() -> None:
    task = folded(submitted(), started(), asked(release=True, timeout_seconds=60))
    assert task.question is not None
    assert task.question.answer_by == at(2) + timedelta(seconds=60)
    task = folded(answered(None, timed_out=True, seconds=63), onto=task)
    assert task.state is State.WAITING
    assert task.answers[0].timed_out


def test_what_is_said_twice_of_a_released_attempt_counts_once() -> None:
    task = folded(submitted(), started(), RELEASED)
    assert folded(RELEASED, started("bob", attempt=1), onto=task).state is State.INPUT_REQUIRED
    assert folded(RELEASED, onto=task) == task


def test_a_late_result_ends_no_later_attempt_that_waits_for_an_answer() -> None:
    task = folded(submitted(), started(), failed(), submitted(attempt=2), started(attempt=2))
    task = folded(asked(attempt=2), onto=task)
    assert folded(completed(attempt=1), onto=task).state is State.INPUT_REQUIRED


def test_a_redrive_asks_anew() -> None:
    task = folded(answered(), failed(retryable=False), onto=asking())
    task = folded(submitted(generation=2), onto=task)
    assert (task.question, task.answers, task.released) == (None, (), 0)


def test_the_oldest_answers_are_given_up() -> None:
    task = folded(submitted(), started())
    for number in range(MAX_ANSWERS + 1):
        name = f"q{number}"
        task = folded(asked(question_id=name), answered(number, question_id=name), onto=task)
    assert [task.answers[0].answer, len(task.answers)] == [1, MAX_ANSWERS]


@given(st.lists(all_events(st.just("t")), max_size=12))
def test_a_task_waits_for_input_only_where_something_is_asked(history: list[Event]) -> None:
    task = folded(submitted(), *history)
    if task.state is State.INPUT_REQUIRED:
        assert task.question is not None
    if task.ended:
        assert task.question is None
