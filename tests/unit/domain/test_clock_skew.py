"""What an agent's clock is believed to be."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.clock_skew import FEWEST, ClockSkew, told_by_our_clock
from tests.unit.domain.histories import at

seconds = st.floats(0, 100).map(lambda some: timedelta(seconds=some))


@given(
    st.floats(-(10**6), 10**6).map(lambda ahead: timedelta(seconds=ahead)),
    st.lists(seconds, min_size=FEWEST, max_size=8),
)
def test_the_beat_that_was_quickest_is_the_nearest_to_the_truth(
    ahead: timedelta, delays: list[timedelta]
) -> None:
    clock, told = ClockSkew(), None
    for number, delay in enumerate(delays):
        sent = at(10 * number)
        told = clock.note("a", sent_at=sent + ahead, heard_at=sent + delay)
    assert told == ahead - min(delays)


def test_a_new_process_begins_anew() -> None:
    clock, told = ClockSkew(), None
    for _ in range(FEWEST):
        told = clock.note("a", sent_at=at(20), heard_at=at(0))
    assert told == timedelta(seconds=20)
    assert clock.note("b", sent_at=at(0), heard_at=at(0)) is None


@pytest.mark.parametrize("told", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("ahead", [-(10**6), 10**6])
def test_an_instant_at_the_end_of_the_calendar_is_no_error(told: str, ahead: int) -> None:
    skew = timedelta(seconds=ahead)
    assert told_by_our_clock(datetime.fromisoformat(told), skew, at(0)) <= at(0)
