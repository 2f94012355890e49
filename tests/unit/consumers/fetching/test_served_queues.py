from __future__ import annotations

from consumers._fetching.served_queues import ServedQueues
from coordinator.protocol.messages.registration import sources_hash
from coordinator.protocol.priority import Priority
from coordinator.protocol.task_queue import TaskQueue

HIGH = TaskQueue("any", Priority.HIGH)
LOW = TaskQueue("any", Priority.LOW)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_missing_queue_is_left_out_for_a_growing_while() -> None:
    clock = Clock()
    sources = ServedQueues(clock)
    sources.replace([HIGH, LOW])

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
    sources.replace([HIGH, LOW])
    assert sources.hash == sources_hash([HIGH, LOW])
    sources.miss(LOW)
    assert sources.hash == sources_hash([HIGH])
    sources.found(LOW)
    assert sources.hash == sources_hash([HIGH, LOW])


def test_an_announcement_ends_the_absence_at_once() -> None:
    sources = ServedQueues(Clock())
    sources.replace([LOW])
    sources.miss(LOW)
    sources.add(LOW)
    assert sources.to_probe() == [LOW]


def test_the_coordinators_list_replaces_what_was_served() -> None:
    sources = ServedQueues(Clock())
    told: list[int] = []
    sources.on_change = lambda: told.append(len(sources))
    sources.add(LOW)
    sources.replace([HIGH])
    assert sources.to_probe() == [HIGH]
    assert LOW not in sources
    assert told == [1, 1]


def test_a_queue_that_is_opened_again_shows() -> None:
    sources = ServedQueues(Clock())
    sources.replace([HIGH, LOW])
    before = sources.opening(HIGH), sources.opening(LOW)
    sources.replace([HIGH, LOW])
    assert (sources.opening(HIGH), sources.opening(LOW)) == before
    sources.add(LOW)
    assert sources.opening(HIGH) == before[0]
    assert sources.opening(LOW) not in (before[1], None)
    sources.remove(HIGH)
    assert sources.opening(HIGH) is None


def test_queues_that_were_opened_are_new_once() -> None:
    sources = ServedQueues(Clock())
    sources.replace([HIGH])
    assert sources.take_new() == [HIGH]
    sources.replace([HIGH, LOW])
    assert sources.take_new() == [LOW]
    sources.add(HIGH)  # opened again
    sources.add(HIGH)
    assert sources.take_new() == [HIGH]
    sources.add(LOW)
    sources.remove(LOW)
    assert sources.take_new() == []
