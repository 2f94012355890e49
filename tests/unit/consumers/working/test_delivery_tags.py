from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from consumers._working.delivery_tags import Acks, DeliveryTags


class Broker:
    """What a broker makes of acks: an unknown tag closes the channel."""

    def __init__(self, tags: int) -> None:
        self.unsettled = set(range(1, tags + 1))

    def accept(self, acks: Acks) -> set[int]:
        settled: set[int] = set()
        if acks.up_to is not None:
            assert acks.up_to in self.unsettled
            settled |= {tag for tag in self.unsettled if tag <= acks.up_to}
        for tag in acks.single:
            assert tag in self.unsettled - settled
            settled.add(tag)
        self.unsettled -= settled
        return settled


@given(st.data())
def test_exactly_what_finished_is_settled_in_whatever_order(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 40))
    unsettled, broker = DeliveryTags(), Broker(count)
    for tag in range(1, count + 1):
        unsettled.hold(tag)
    left = data.draw(st.permutations(range(1, count + 1)))
    while left:
        size = data.draw(st.integers(1, len(left)))
        batch, left = left[:size], left[size:]
        if data.draw(st.booleans()):
            for tag in batch:  # given back
                assert unsettled.drop(tag)
                broker.unsettled.remove(tag)
        else:
            assert broker.accept(unsettled.finish(batch)) == set(batch)
    assert not broker.unsettled
    assert len(unsettled) == 0


def test_tasks_that_finish_in_order_need_one_frame() -> None:
    unsettled = DeliveryTags()
    for tag in range(1, 101):
        unsettled.hold(tag)
    assert unsettled.finish(range(1, 101)) == Acks(100, ())


def test_a_slow_task_does_not_keep_those_behind_it_unsettled() -> None:
    unsettled = DeliveryTags()
    for tag in (1, 2, 3):
        unsettled.hold(tag)
    assert unsettled.finish([2, 3]) == Acks(None, (2, 3))
    assert unsettled.finish([1]) == Acks(1, ())


def test_what_is_not_in_hand_is_not_settled_again() -> None:
    unsettled = DeliveryTags()
    unsettled.hold(1)
    assert unsettled.finish([1]) == Acks(1, ())
    assert unsettled.finish([1]) == Acks(None, ())
    assert not unsettled.drop(1)
