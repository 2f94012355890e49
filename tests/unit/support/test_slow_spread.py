"""In which order several workers are given tests."""

from __future__ import annotations

import pytest

from tests.support.slow_spread import spread


def test_slow_ones_are_spread_over_the_first_part_of_each_share_and_the_others_keep_their_order() -> (
    None
):
    assert spread("ABCDE", "0123456", 3) == list("AD01BE23C456")
    assert spread("ABC", "0123456789ab", 1) == list("A012B345C6789ab")


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("slow", "quick"), [(0, 0), (0, 9), (9, 0), (1, 8), (5, 3), (3, 21)])
def test_nothing_is_left_out_or_doubled(slow: int, quick: int, workers: int) -> None:
    ordered = spread(range(slow), range(slow, slow + quick), workers)
    assert sorted(ordered) == list(range(slow + quick))
    assert [one for one in ordered if one >= slow] == list(range(slow, slow + quick))
