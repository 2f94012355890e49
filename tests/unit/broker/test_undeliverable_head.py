"""A queue whose reading costs the connection, again and again, is told from a broker that is away."""

from __future__ import annotations

import pytest

from coordinator.broker.connection_timings import ConnectionTimings
from coordinator.broker.undeliverable_head import MANY_ENDS, HeadOfQueue, HeadsOfQueues

TIMINGS = ConnectionTimings(first_rest=10.0, longest_rest=1000.0)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def head(clock: Clock) -> HeadOfQueue:
    return HeadOfQueue("coordinator.log", timings=TIMINGS, monotonic=clock)


def end(head: HeadOfQueue, times: int = 1, *, waiting: int = 1) -> None:
    for _ in range(times):
        head.began(waiting=waiting)
        head.connection_ended()


def test_many_ends_in_a_row_as_soon_as_it_is_read_are_told(head: HeadOfQueue) -> None:
    stuck: list[bool] = []
    for _ in range(MANY_ENDS + 1):
        end(head)
        stuck.append(head.stuck)
    assert stuck == [False] * (MANY_ENDS - 1) + [True, True]


def test_ends_while_nothing_waits_are_a_broker_that_is_away(head: HeadOfQueue) -> None:
    end(head, 2 * MANY_ENDS, waiting=0)
    assert not head.stuck


def test_an_end_after_something_was_settled_begins_anew(head: HeadOfQueue) -> None:
    end(head, MANY_ENDS - 1)
    head.began(waiting=1)
    head.passed()
    head.connection_ended()
    end(head, MANY_ENDS - 1)
    assert not head.stuck
    assert not head.readable
    head.passed()
    assert head.readable


def test_an_end_that_comes_late_is_not_laid_to_what_was_read(
    head: HeadOfQueue, clock: Clock
) -> None:
    """Such as that of a coordinator which waits while another reads the log."""
    end(head, MANY_ENDS - 1)
    head.began(waiting=1)
    clock.now += 11
    head.connection_ended()
    end(head, MANY_ENDS - 1)
    assert not head.stuck


def test_an_operator_is_told_which_queue_it_is_and_what_to_do() -> None:
    heads = HeadsOfQueues()
    end(heads.of("coordinator.requests"), MANY_ENDS - 1)
    assert heads.problems() == []
    end(heads.of("coordinator.log"), MANY_ENDS)
    (told,) = heads.problems()
    assert told.startswith("The broker ends the connection whenever coordinator.log is read")
    assert "its own log says why; update RabbitMQ" in told


def test_a_stuck_queue_is_left_alone_for_longer_with_each_end_and_not_once_it_was_read(
    head: HeadOfQueue, clock: Clock
) -> None:
    rests: list[bool] = []
    for _ in range(MANY_ENDS):
        rests.append(head.rests)
        end(head)
    assert not any(rests)
    for rest in (10.0, 20.0):
        clock.now += rest - 1
        rests.append(head.rests)
        clock.now += 1
        rests.append(head.rests)
        end(head)
    end(head, 2000)
    clock.now += 1000.0
    rests.append(head.rests)
    head.passed()
    end(head)
    rests.append(head.rests)
    assert rests[MANY_ENDS:] == [True, False, True, False, False, False]


def test_an_end_while_it_is_no_longer_read_is_not_laid_to_it(head: HeadOfQueue) -> None:
    for _ in range(MANY_ENDS):
        head.began(waiting=1)
        head.stopped()
        head.connection_ended()
    assert not head.stuck
