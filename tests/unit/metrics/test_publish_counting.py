"""Publishes are in flight until their end is told, and each end counts once."""

from __future__ import annotations

from coordinator.broker.publisher import Outgoing
from coordinator.errors import OutcomeUnknown
from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.counters.publish_counting import PublishCounting
from coordinator.metrics.metric_catalogue import CONFIRM, PUBLISH_FAILED
from coordinator.protocol.message import Message


def test_a_confirm_is_timed_and_a_failure_is_named() -> None:
    figures, clock = CountedFigures(), [1.0]
    counting = PublishCounting(figures, clock=lambda: clock[0])
    # Equal, and yet two: the object is the message on its way.
    one, two = (Outgoing(Message(body=b"x"), "", "q") for _ in range(2))
    counting.before(one)
    clock[0] = 2.0
    counting.before(two)
    assert counting.in_flight == 2
    clock[0] = 4.0
    counting.confirmed(one)
    assert counting.in_flight == 1
    counting.failed(two, OutcomeUnknown())
    assert counting.in_flight == 0
    assert figures.histogram(CONFIRM).total == 3.0
    assert figures.histogram(CONFIRM).number == 1
    assert dict(figures.counter(PUBLISH_FAILED)) == {("OutcomeUnknown",): 1}


def test_a_failure_that_is_no_error_of_the_tree_has_one_name() -> None:
    figures = CountedFigures()
    counting = PublishCounting(figures)
    counting.failed(Outgoing(Message(body=b"x"), "", "q"), KeyError("anything"))
    assert dict(figures.counter(PUBLISH_FAILED)) == {("other",): 1}
