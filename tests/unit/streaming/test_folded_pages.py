"""What was folded since the last round, as far as it follows on from the position that is asked for."""

from __future__ import annotations

from coordinator.registry.feed.folded_page import FoldedPage
from coordinator.streaming.folded_pages import FoldedPages
from tests.support.recorded import recorded


def page(after: int, *positions: int, reached: int | None = None, size: int = 1) -> FoldedPage:
    return FoldedPage(
        after=after,
        events=[recorded(one, data={"text": "x" * size}) for one in positions],
        reached=reached or positions[-1],
    )


def taken(pages: FoldedPages, position: int, limit: int = 100) -> tuple[list[int], int, int] | None:
    found = pages.take(position, limit=limit)
    if found is None:
        return None
    return [one.position for one in found.events], found.reached, found.end


def test_pages_that_follow_on_are_taken_together_up_to_a_limit() -> None:
    pages = FoldedPages()
    for one in (page(0, 1, 2), page(2, 4, reached=5), page(5, 6), page(6, 7, 8)):
        pages.put(one)
    assert taken(pages, 0, limit=4) == ([1, 2, 4, 6], 6, 8)
    assert taken(pages, 6) == ([7, 8], 8, 8)
    assert taken(pages, 8) is None


def test_what_was_read_in_the_meantime_is_not_taken_again() -> None:
    pages = FoldedPages()
    pages.put(page(0, 1, 2))
    pages.put(page(2, 3, 4))
    assert taken(pages, 3) == ([4], 4, 4)


def test_what_does_not_follow_on_is_to_be_read() -> None:
    pages = FoldedPages()
    pages.put(page(3, 4))
    assert taken(pages, 2) is None
    # It is of use again once the ledger was read up to there.
    assert taken(pages, 3) == ([4], 4, 4)
    pages.put(page(4, 5))
    pages.put(page(9, 10))  # another process has folded some in between
    assert taken(pages, 4) is None
    assert taken(pages, 9) == ([10], 10, 10)


def test_the_oldest_make_room_and_are_to_be_read() -> None:
    few = FoldedPages(most_events=2)
    for one in (page(0, 1), page(1, 2), page(2, 3)):
        few.put(one)
    assert taken(few, 0) is None
    assert taken(few, 1) == ([2, 3], 3, 3)
    small = FoldedPages(most_bytes=250)
    for one in (page(0, 1, size=100), page(1, 2, size=100), page(2, 3, size=1000)):
        small.put(one)
    assert taken(small, 0) is None
    assert taken(small, 1) is None


def test_nothing_is_left_once_nobody_wants_it() -> None:
    pages = FoldedPages()
    pages.put(page(0, 1))
    pages.clear()
    assert taken(pages, 0) is None
    pages.put(page(0, 1))
    assert taken(pages, 0) == ([1], 1, 1)
