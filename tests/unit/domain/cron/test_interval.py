"""Intervals: due every so many seconds, on no clock, and kept where others have a cron expression."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.cron.interval import LONGEST, Interval
from coordinator.domain.cron.ticks import (
    Missed,
    check_cron,
    coming_ticks,
    due_now,
    last_tick,
    next_tick,
)
from coordinator.errors import InvalidRequest

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NINETY = Interval.begun(90, START + timedelta(microseconds=5))


def test_the_first_tick_is_an_interval_after_its_start_and_each_further_one_after_that() -> None:
    first = START + 90 * SECOND
    assert next_tick(NINETY.text, "UTC", START - timedelta(days=1)) == first
    assert next_tick(NINETY.text, "UTC", START) == first
    assert next_tick(NINETY.text, "UTC", first - SECOND) == first
    assert next_tick(NINETY.text, "UTC", first) == START + 180 * SECOND
    assert last_tick(NINETY.text, "UTC", first - SECOND) is None
    assert last_tick(NINETY.text, "UTC", first + 89 * SECOND) == first
    assert coming_ticks(NINETY.text, "UTC", first, 2) == [first, first + 90 * SECOND]


def test_it_goes_on_evenly_where_clocks_are_changed() -> None:
    hourly = Interval.begun(3600, datetime(2026, 3, 28, tzinfo=UTC))
    ticks = coming_ticks(hourly.text, "Europe/Vienna", hourly.after(hourly.start), 48)
    assert {later - one for one, later in pairwise(ticks)} == {3600 * SECOND}


@given(st.integers(1, LONGEST), st.integers(-(10**9), 10**9))
def test_what_was_written_is_read_again(seconds: int, past: int) -> None:
    start = (START + past * SECOND).astimezone(timezone(timedelta(hours=2)))
    one = Interval.begun(seconds, start)
    assert Interval.read(one.text) == one
    assert len(one.text) <= 200
    check_cron(one.text, "UTC")


@given(st.integers(1, LONGEST), st.integers(-(10**9), 10**9))
def test_the_next_tick_is_later_and_the_last_is_not(seconds: int, past: int) -> None:
    one, now = Interval.begun(seconds, START), START + past * SECOND
    coming, latest = one.after(now), one.until(now)
    assert now < coming
    assert coming <= max(now, START) + seconds * SECOND
    assert latest is None or (latest <= now and coming - latest == seconds * SECOND)


@pytest.mark.parametrize(
    "text",
    ["@every 90", "@every 0 from 2026-01-31T12:00:00+00:00", "@every 9 from some-time-or-another"],
)
def test_one_that_was_written_otherwise_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        next_tick(text, "UTC", START)


def test_nicknames_of_cron_are_no_intervals() -> None:
    assert Interval.read("@daily") is None
    assert Interval.read("* * * * *") is None


def test_the_end_of_the_calendar_is_the_end_of_it() -> None:
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert next_tick(NINETY.text, "UTC", last) is None


@pytest.mark.parametrize(
    ("missed", "ran"), [(Missed.SKIP, []), (Missed.ONCE, [4]), (Missed.ALL, [1, 2, 3, 4])]
)
def test_what_was_missed_is_treated_as_that_of_a_cron_expression(
    missed: Missed, ran: list[int]
) -> None:
    hourly = Interval.begun(3600, START)
    first, now = START + 3600 * SECOND, START + 4 * 3600 * SECOND + 600 * SECOND
    found = due_now(hourly.text, "UTC", first, now, missed, grace=60)
    assert found == [START + number * 3600 * SECOND for number in ran]
