"""The queue of one subscriber: what is put into it is taken, up to its bound, and at no moment forgotten."""

from __future__ import annotations

import asyncio

from coordinator.streaming.stream_frames import STOPPING, TOO_SLOW
from coordinator.streaming.subscription import Subscription


async def test_what_comes_in_the_moment_in_which_nobody_would_wait_any_longer_is_taken() -> None:
    """Else it would be told that all was sent, up to a position beyond what waits."""
    subscription: Subscription[int] = Subscription()
    loop = asyncio.get_running_loop()
    taking = asyncio.create_task(subscription.take(0))
    await asyncio.sleep(0)  # it waits
    loop.call_soon(subscription.put, [1], 1)
    assert await taking == [1]


async def test_whoever_has_nothing_waits_no_longer_than_it_wants_to() -> None:
    subscription: Subscription[int] = Subscription()
    assert await subscription.take(0.01) == []
    subscription.end(STOPPING)
    assert await subscription.take(1000) == []
    assert subscription.ended is STOPPING


async def test_whoever_is_cut_off_is_counted_once_and_nobody_else() -> None:
    cut: list[int] = []
    slow: Subscription[int] = Subscription(most=1, cut=lambda: cut.append(1))
    ended: Subscription[int] = Subscription(most=1, cut=lambda: cut.append(2))
    ended.put([1], 1)
    ended.end(STOPPING)
    for one in (slow, ended):
        for number in range(4):
            one.put([number], 1)
    assert cut == [1]


async def test_one_batch_fits_whatever_its_size_and_the_next_does_not() -> None:
    subscription: Subscription[int] = Subscription(most=10)
    subscription.put([1, 2], 50)
    assert await subscription.take(0) == [1, 2]
    subscription.put([3], 6)
    subscription.put([4], 4)
    assert await subscription.take(0) == [3, 4]
    subscription.put([3], 10)
    subscription.put([5], 1)
    subscription.put([6], 1)
    assert subscription.ended is TOO_SLOW
    assert await subscription.take(0) == []
