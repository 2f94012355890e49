"""How many rows of a page are read: as many as hold so much, and one at least."""

from __future__ import annotations

import pytest

from coordinator.registry.tables.row_bytes import that_fit


@pytest.mark.parametrize(
    ("lengths", "fit"),
    [
        ([], 0),
        ([0, 0, 0], 3),
        ([4, 4, 2], 3),
        ([4, 4, 3], 2),
        ([11], 1),
        ([11, 0], 1),
        ([10, 0, 0], 3),
        ([1, 11, 0], 1),
    ],
)
def test_the_first_that_fit_are_read(lengths: list[int], fit: int) -> None:
    assert that_fit(lengths, most=10) == fit
