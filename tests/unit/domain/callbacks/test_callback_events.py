"""Which events of a task are told to the URL that its producer named."""

from __future__ import annotations

import pytest

from coordinator.domain.callbacks.callback_events import EVENT_WORDS, orders_of
from coordinator.domain.task import Task
from coordinator.domain.transitions.fold import fold
from coordinator.protocol.messages.events import Event
from coordinator.protocol.messages.task_message import Callback
from tests.unit.domain.histories import (
    MAX_ATTEMPTS,
    RULES,
    answered,
    asked,
    at,
    cancelled,
    completed,
    failed,
    progressed,
    started,
    submitted,
)

URL = "https://receiver.example/"


def callback(*events: str) -> Callback:
    return Callback(url=URL, events=events or ("ended",))


def told(*events: Event) -> list[tuple[str, str]]:
    """The word and the event of each order, over a history."""
    task: Task | None = None
    found: list[tuple[str, str]] = []
    for event in events:
        was, task = task, fold(task, event, RULES).task
        found += [(order.event, order.event_id) for order in orders_of(was, event, task)]
    return found


ALL = callback(*EVENT_WORDS)


def test_a_task_without_a_callback_is_told_to_nobody() -> None:
    assert told(submitted(), started(), completed()) == []


def test_its_end_is_told_once_however_often_it_is_reported() -> None:
    end = completed()
    assert told(submitted(callback=callback()), started(), end, completed("bob")) == [
        ("completed", end.id)
    ]


@pytest.mark.parametrize(
    ("word", "end"),
    [("completed", completed()), ("cancelled", cancelled()), ("dead", failed(retryable=False))],
)
def test_each_end_is_told_under_its_state_and_as_ended(word: str, end: Event) -> None:
    for wanted in ("ended", word):
        assert told(submitted(callback=callback(wanted)), end) == [(word, end.id)]
    others = sorted({"completed", "cancelled", "dead", "expired", "started", "retried"} - {word})
    assert told(submitted(callback=callback(*others)), end) == []


def test_each_attempt_is_told_as_it_starts_and_as_it_is_retried() -> None:
    words = [
        word
        for word, _ in told(
            submitted(callback=ALL),
            started(attempt=1),
            started("bob", attempt=1),
            progressed(0.5, attempt=1),
            failed(attempt=1),
            submitted(attempt=2, callback=ALL),
            started(attempt=2),
            completed(attempt=2),
        )
    ]
    assert words == ["started", "retried", "started", "completed"]


def test_each_question_is_told_once_however_often_it_is_asked() -> None:
    first, second = asked(), asked("really?", attempt=2, question_id="2", release=True)
    words = told(
        submitted(callback=callback("input_required", "retried")),
        started(),
        first,
        asked(repeated=1),
        answered(),
        asked(repeated=2),
        failed(),
        submitted(attempt=2),
        second,
        answered(question="really?", question_id="2"),
    )
    retry = words.pop(1)
    assert words == [("input_required", first.id), ("input_required", second.id)]
    assert retry[0] == "retried"


def test_the_last_failed_attempt_is_told_as_the_end_and_not_as_a_retry() -> None:
    words = [
        word for word, _ in told(submitted(callback=ALL), started(), failed(attempt=MAX_ATTEMPTS))
    ]
    assert words == ["started", "dead"]


def test_an_end_that_comes_before_the_tasks_own_message_is_told_with_that() -> None:
    end = completed()
    assert told(end, submitted(callback=callback())) == [("completed", end.id)]


def test_the_end_of_each_generation_is_told() -> None:
    first, second = failed(retryable=False), completed(generation=2)
    assert told(
        submitted(callback=callback()),
        first,
        submitted(generation=2, callback=callback(), not_before=at(60)),
        started(generation=2),
        second,
    ) == [("dead", first.id), ("completed", second.id)]


def test_no_word_but_those_of_ends_and_attempts_can_be_asked_for() -> None:
    assert (
        *("ended", "cancelled", "completed", "dead", "expired", "started", "retried"),
        "input_required",
    ) == EVENT_WORDS
