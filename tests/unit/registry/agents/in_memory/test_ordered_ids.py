"""Ids in order, whatever comes and goes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.registry.agents.in_memory.ordered_ids import OrderedIds

IDS = st.text("abc", min_size=1, max_size=2)


@given(st.lists(st.tuples(st.sampled_from(["add", "discard", "read"]), IDS)), st.none() | IDS)
def test_ids_are_in_order_whatever_came_and_went(
    steps: list[tuple[str, str]], place: str | None
) -> None:
    ids, model = OrderedIds(), set[str]()
    for what, one in [*steps, ("read", "b")]:
        if what == "read":
            assert list(ids.after(one)) == sorted(other for other in model if other > one)
        else:
            getattr(ids, what)(one)
            getattr(model, what)(one)
    after = [one for one in sorted(model) if place is None or one > place]
    assert list(ids.after(place)) == after
    assert len(ids) == len(model)


def test_the_same_agents_that_come_and_go_unread_take_no_room() -> None:
    ids = OrderedIds()
    ids.add("a")
    for _ in range(1000):
        ids.add("b")
        ids.discard("b")
    assert len(ids._added) < 10
