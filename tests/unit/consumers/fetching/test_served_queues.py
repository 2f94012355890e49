from __future__ import annotations

import pytest

from consumers._fetching.served_queues import ServedQueues
from coordinator.protocol.messages.registration import sources_hash
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue

HIGH = TaskQueue("any", Priority.HIGH)
LOW = TaskQueue("any", Priority.LOW)
LOWEST = TaskQueue("agent:ada", Priority.LOW)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_missing_queue_is_left_out_for_a_growing_while() -> None:
    clock = Clock()
    sources = ServedQueues(clock)
    sources.replace([HIGH, LOW], as_of=0.0)

    sources.miss(LOW)
    assert sources.to_probe() == [HIGH]
    clock.now = 1.0
    assert set(sources.to_probe()) == {HIGH, LOW}

    sources.miss(LOW)
    clock.now = 2.5
    assert sources.to_probe() == [HIGH]
    clock.now = 3.0
    assert set(sources.to_probe()) == {HIGH, LOW}


def test_a_missing_queue_shows_in_the_hash() -> None:
    sources = ServedQueues(Clock())
    sources.replace([HIGH, LOW], as_of=0.0)
    assert sources.hash == sources_hash([HIGH, LOW])
    sources.miss(LOW)
    assert sources.hash == sources_hash([HIGH])
    sources.found(LOW)
    assert sources.hash == sources_hash([HIGH, LOW])


def test_an_announcement_ends_the_absence_at_once() -> None:
    sources = ServedQueues(Clock())
    sources.replace([LOW], as_of=0.0)
    sources.miss(LOW)
    sources.add(LOW)
    assert sources.to_probe() == [LOW]


def test_the_coordinators_list_replaces_what_was_served() -> None:
    sources = ServedQueues(Clock())
    told: list[int] = []
    sources.on_change = lambda: told.append(len(sources))
    sources.add(LOW)
    sources.replace([HIGH], as_of=0.5)
    assert sources.to_probe() == [HIGH]
    assert LOW not in sources
    assert told == [1, 1]


def test_a_queue_that_is_opened_again_shows() -> None:
    sources = ServedQueues(Clock())
    sources.replace([HIGH, LOW], as_of=0.0)
    before = sources.opening(HIGH), sources.opening(LOW)
    sources.replace([HIGH, LOW], as_of=0.0)
    assert (sources.opening(HIGH), sources.opening(LOW)) == before
    sources.add(LOW)
    assert sources.opening(HIGH) == before[0]
    assert sources.opening(LOW) not in (before[1], None)
    sources.remove(HIGH)
    assert sources.opening(HIGH) is None


def test_queues_that_were_opened_are_new_once() -> None:
    sources = ServedQueues(Clock())
    sources.replace([HIGH], as_of=0.0)
    assert sources.take_new() == [HIGH]
    sources.replace([HIGH, LOW], as_of=0.0)
    assert sources.take_new() == [LOW]
    sources.add(HIGH)  # opened again
    sources.add(HIGH)
    assert sources.take_new() == [HIGH]
    sources.add(LOW)
    sources.remove(LOW)
    assert sources.take_new() == []


@pytest.mark.parametrize(
    ("asked", "served"), [(1.0, {HIGH, LOW}), (3.0, {LOW})], ids=["before", "after"]
)
def test_a_list_does_not_undo_what_was_said_since_it_was_asked_for(
    asked: float, served: set[TaskQueue]
) -> None:
    clock = Clock()
    sources = ServedQueues(clock)
    sources.replace([LOWEST], as_of=0.0)
    clock.now = 2.0
    sources.add(HIGH)
    sources.remove(LOWEST)
    sources.replace([LOW, LOWEST] if asked < clock.now else [LOW], as_of=asked)
    assert set(sources.to_probe()) == served


def test_a_queue_that_was_opened_again_is_served_though_it_was_given_up_meanwhile() -> None:
    clock = Clock()
    sources = ServedQueues(clock)
    clock.now = 2.0
    sources.add(HIGH)
    sources.remove(HIGH)
    sources.replace([], as_of=1.0)
    assert HIGH not in sources
    clock.now = 3.0
    sources.replace([HIGH], as_of=2.5)
    assert HIGH in sources
