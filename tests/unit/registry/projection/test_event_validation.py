"""An event is checked before it is folded: its token, its numbers, the lane of a queue that it opens."""

from __future__ import annotations

import pytest

from coordinator.errors import MalformedMessage, WrongToken
from coordinator.protocol.lanes import lane_name
from coordinator.protocol.messages.events import Event, SourceOpened
from coordinator.protocol.priority import Priority
from coordinator.protocol.requirements import Requirements
from coordinator.protocol.task_token import task_token
from coordinator.registry.projection.event_validation import check_event
from tests.unit.domain.histories import completed, failed, started

SECRET = b"s" * 32
GPU = Requirements(capabilities=("gpu",))


def test_a_token_of_the_message_vouches_for_attempts_after_crashes_within_the_limit() -> None:
    token = task_token(SECRET, "t", 1, 2)
    for attempt in (2, 3, 22):
        check_event(completed(attempt=attempt, task_token=token), SECRET)
    for attempt in (1, 23):
        with pytest.raises(WrongToken):
            check_event(completed(attempt=attempt, task_token=token), SECRET)
    with pytest.raises(WrongToken):
        check_event(failed(generation=2, attempt=2, task_token=token), SECRET)


def test_a_number_that_no_column_holds_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="out of range"):
        check_event(started(attempt=10**30), SECRET)


def test_a_queue_with_requirements_that_are_not_its_lanes_is_malformed() -> None:
    """Its tasks would go to agents that must not do them."""
    check_event(Event(data=_opened(lane_name(GPU, long=True), ["gpu"])), SECRET)
    with pytest.raises(MalformedMessage, match="lane"):
        check_event(Event(data=_opened(lane_name(GPU), [])), SECRET)


def _opened(lane: str, capabilities: list[str]) -> SourceOpened:
    wanted = {"capabilities": capabilities} if capabilities else {}
    return SourceOpened(lane=lane, priority=Priority.LOW, requirements=wanted)
