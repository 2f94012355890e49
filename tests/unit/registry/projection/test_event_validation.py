"""An event is checked before it is folded: its token, its numbers, the lane of a queue that it opens."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from coordinator.errors import MalformedMessage, WrongToken
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import Event, SourceOpened, TaskCompleted
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_token import task_token
from coordinator.registry.projection.event_validation import checked
from tests.unit.domain.histories import (
    completed,
    dead_lettered,
    declined,
    failed,
    progressed,
    started,
    submitted,
)

SECRET = b"s" * 32
GPU = Requirements(capabilities=("gpu",))


def test_a_token_opens_its_own_attempt_and_crashes_are_counted_apart() -> None:
    """Where an agent does not count them apart, as many as the broker allows are found by the token."""
    token = task_token(SECRET, "t", 1, 2)
    for attempt, crashes in ((2, None), (3, 1), (22, 20)):
        for event in (
            completed(attempt=attempt, task_token=token),
            completed(attempt=attempt, task_token=token, crashes=crashes),
        ):
            data = checked(event, SECRET).data
            assert isinstance(data, TaskCompleted)
            assert (data.attempt, data.crashes) == (attempt, crashes)
    for attempt in (1, 23):
        with pytest.raises(WrongToken):
            checked(completed(attempt=attempt, task_token=token), SECRET)
    with pytest.raises(WrongToken):
        checked(failed(generation=2, attempt=2, task_token=token), SECRET)


@pytest.mark.parametrize(("attempt", "crashes"), [(2, 1), (3, 0), (3, 2), (1, 1), (1, 5)])
def test_what_an_agent_says_of_crashes_must_be_what_its_token_says(
    attempt: int, crashes: int
) -> None:
    token = task_token(SECRET, "t", 1, 2)
    with pytest.raises(WrongToken):
        checked(completed(attempt=attempt, crashes=crashes, task_token=token), SECRET)


@pytest.mark.parametrize("say", [started, partial(progressed, 0.5), declined, completed, failed])
def test_whatever_is_said_of_an_attempt_with_a_token_must_have_its_own(
    say: Callable[..., Event],
) -> None:
    checked(say(task_token=task_token(SECRET, "t", 1, 1)), SECRET)
    for wrong in ("", "token", task_token(SECRET, "u", 1, 1), task_token(SECRET, "t", 1, 2)):
        with pytest.raises(WrongToken):
            checked(say(task_token=wrong), SECRET)


@pytest.mark.parametrize("say", [started, partial(progressed, 0.5)])
def test_the_token_of_an_attempt_that_goes_on_is_not_kept(say: Callable[..., Event]) -> None:
    event = checked(say(task_token=task_token(SECRET, "t", 1, 1)), SECRET)

    assert event.data == say().data


@pytest.mark.parametrize("sent", [submitted, partial(dead_lettered, "rejected")])
def test_a_task_is_one_that_a_coordinator_has_made(sent: Callable[..., Event]) -> None:
    checked(sent(attempt=2, task_token=task_token(SECRET, "t", 1, 2)), SECRET)
    for wrong in ("", "token", task_token(SECRET, "t", 1, 1), task_token(bytes(32), "t", 1, 2)):
        with pytest.raises(WrongToken, match="no coordinator"):
            checked(sent(attempt=2, task_token=wrong), SECRET)


def test_a_number_that_no_column_holds_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="out of range"):
        checked(started(attempt=10**30), SECRET)


def test_a_queue_with_requirements_that_are_not_its_lanes_is_malformed() -> None:
    """Its tasks would go to agents that must not do them."""
    checked(Event(data=_opened(lane_name(GPU, long=True), ["gpu"])), SECRET)
    with pytest.raises(MalformedMessage, match="lane"):
        checked(Event(data=_opened(lane_name(GPU), [])), SECRET)


def _opened(lane: str, capabilities: list[str]) -> SourceOpened:
    wanted = {"capabilities": capabilities} if capabilities else {}
    return SourceOpened(lane=lane, priority=Priority.LOW, requirements=wanted)
