"""In which order several workers are given tests."""

from __future__ import annotations

import pytest

from tests.support.slow_first import slow_first


def test_each_workers_share_begins_with_slow_ones_and_the_others_keep_their_order() -> None:
    assert slow_first("ABCDE", "0123456", 3) == list("AD01BE23C456")


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("slow", "quick"), [(0, 0), (0, 9), (9, 0), (1, 8), (5, 3), (3, 21)])
def test_nothing_is_left_out_or_doubled(slow: int, quick: int, workers: int) -> None:
    ordered = slow_first(range(slow), range(slow, slow + quick), workers)
    assert sorted(ordered) == list(range(slow + quick))
    assert [one for one in ordered if one >= slow] == list(range(slow, slow + quick))
