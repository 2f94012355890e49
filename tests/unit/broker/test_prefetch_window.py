"""How many messages a reader may hold: by count, and by their bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coordinator.broker.prefetch_window import PrefetchWindow


def test_small_messages_are_bounded_by_their_count_alone() -> None:
    window = PrefetchWindow(2000, most_bytes=1_000_000)
    assert all(window.take(500) for _ in range(2000))
    assert window.count == 2000


def test_where_there_is_no_room_fewer_are_held_from_then_on() -> None:
    window = PrefetchWindow(2000, most_bytes=1_000_000)
    taken = 0
    while window.take(10_000):
        taken += 1
    assert taken == 100
    assert window.count == 50
    window.begin()
    assert all(window.take(10_000) for _ in range(window.count))


def test_one_message_is_held_however_large() -> None:
    window = PrefetchWindow(2000, most_bytes=1000)
    assert window.take(5000)
    assert not window.take(1)
    assert not window.settle(1, 5000)
    assert window.take(5000)


def test_a_window_is_wide_again_once_small_messages_have_passed_for_a_while() -> None:
    window = PrefetchWindow(2000, most_bytes=1_000_000)
    while window.take(20_000):
        pass
    window.begin()
    assert window.count == 25
    passed = 0
    while window.take(100) and not window.settle(1, 100):
        passed += 1
    assert passed < 300
    assert window.count == 2000


@given(st.lists(st.integers(0, 3000), max_size=300), st.integers(1, 2000))
def test_what_is_held_is_never_more_than_the_bytes_but_for_one_message(
    sizes: list[int], most_bytes: int
) -> None:
    window = PrefetchWindow(50, most_bytes=most_bytes)
    held: list[int] = []
    for size in sizes:
        if len(held) < window.count and window.take(size):
            held.append(size)
        else:
            window.settle(len(held), sum(held))
            window.begin()
            held = []
        assert sum(held) <= most_bytes or len(held) == 1
        assert 1 <= window.count <= 50
