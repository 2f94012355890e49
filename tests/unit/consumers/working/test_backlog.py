"""What waits for a slot: in which order it starts, and what goes back to its queue."""

from __future__ import annotations

from consumers._working.backlog import Backlog
from tests.unit.consumers.working.in_hand import AChannel, Settled, attempt


def started(backlog: Backlog) -> list[str]:
    """The tasks in the order in which they would be started."""
    found = []
    while (one := backlog.next()) is not None:
        found.append(one.message.task_id)
    return found


def test_the_most_urgent_starts_first_and_equals_in_the_order_of_their_arrival() -> None:
    backlog = Backlog(Settled().receipts)
    for tag, priority in enumerate(("low", "normal", "urgent", "normal")):
        backlog.add(attempt(tag, priority=priority))
    assert started(backlog) == ["task 2", "task 1", "task 3", "task 0"]


def test_what_the_broker_has_taken_back_is_not_started() -> None:
    backlog = Backlog(Settled().receipts)
    lost = AChannel()
    backlog.add(attempt(1, channel=lost))
    backlog.add(attempt(2))
    lost.open = False
    assert started(backlog) == ["task 2"]


def test_surplus_goes_back_but_for_what_was_returned_often_enough() -> None:
    settled = Settled()
    backlog = Backlog(settled.receipts)
    for tag, returned in enumerate((0, 1, 2, 3)):
        backlog.add(attempt(tag, returned=returned))
    backlog.give_back_surplus()
    assert settled.given_back == [0, 1]
    assert started(backlog) == ["task 2", "task 3"]


def test_what_is_given_back_while_draining_waits_until_the_broker_pushes_nothing_more() -> None:
    settled = Settled()
    backlog = Backlog(settled.receipts)
    backlog.give_back(attempt(1))
    assert settled.given_back == [1]
    backlog.drain()
    backlog.give_back(attempt(2, returned=5))
    assert (settled.given_back, len(backlog), backlog.draining) == ([1], 1, True)
    backlog.give_back_surplus(all_of_it=True)
    assert (settled.given_back, len(backlog)) == ([1, 2], 0)
    backlog.drain()  # a second time changes nothing
    backlog.give_back(attempt(3))
    assert settled.given_back == [1, 2, 3]
