"""When a recurring schedule is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.cron import MOST_MISSED, Missed, check_cron, due_now, next_tick
from coordinator.errors import InvalidRequest


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "timezone", "after", "tick"),
    [
        ("30 3 * * *", "UTC", "2026-01-01T03:30:00", "2026-01-02T03:30:00"),
        ("30 3 * * *", "Europe/Vienna", "2026-01-01T00:00:00", "2026-01-01T02:30:00"),
        ("*/10 * * * * *", "UTC", "2026-01-01T00:00:01", "2026-01-01T00:00:10"),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        # The clock jumps from 02:00 to 03:00, and from 03:00 back to 02:00.
        ("30 2 * * *", "Europe/Vienna", "2026-03-29T00:00:00", "2026-03-29T01:00:00"),
        ("30 2 * * *", "Europe/Vienna", "2026-10-25T00:00:00", "2026-10-25T00:30:00"),
        ("30 2 * * *", "Europe/Vienna", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
    ],
)
def test_the_next_tick_is_in_the_schedules_own_time_zone(
    cron: str, timezone: str, after: str, tick: str
) -> None:
    assert next_tick(cron, timezone, utc(after)) == utc(tick)


@pytest.mark.parametrize(
    ("cron", "timezone", "sentence"),
    [
        ("often", "UTC", "cannot be read"),
        ("99 * * * *", "UTC", "cannot be read"),
        ("", "UTC", "cannot be read"),
        ("0 0 31 2 *", "UTC", "cannot be read|never comes"),
        ("* * * * *", "Vienna", "timezone 'Vienna' is not known"),
        ("* * * * *", "../etc/passwd", "is not known"),
        ("* * * * *", "", "is not known"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(
    cron: str, timezone: str, sentence: str
) -> None:
    with pytest.raises(InvalidRequest, match=sentence):
        check_cron(cron, timezone)


FIRST = utc("2026-01-01T00:00:00")


@pytest.mark.parametrize(
    ("missed", "seconds", "ticks"),
    [
        (Missed.SKIP, 0, [0]),
        (Missed.SKIP, 49, [0]),
        (Missed.SKIP, 55, []),
        (Missed.SKIP, 200, [180]),
        (Missed.ONCE, 30, [0]),
        (Missed.ONCE, 55, [0]),
        (Missed.ONCE, 235, [180]),
        (Missed.ALL, 200, [0, 60, 120, 180]),
    ],
)
def test_missed_ticks_are_run_by_policy(missed: Missed, seconds: float, ticks: list[int]) -> None:
    now = FIRST + timedelta(seconds=seconds)
    found = due_now("* * * * *", "UTC", FIRST, now, missed, grace=50)
    assert found == [FIRST + timedelta(seconds=tick) for tick in ticks]


def test_all_missed_ticks_are_the_latest_hundred_at_most() -> None:
    found = due_now("* * * * *", "UTC", FIRST, FIRST + timedelta(days=30), Missed.ALL, grace=60)
    assert len(found) == MOST_MISSED
    assert found[-1] == FIRST + timedelta(days=30)


@given(st.integers(0, 100_000), st.sampled_from(Missed))
def test_no_tick_is_run_that_is_not_due_and_none_twice(seconds: int, missed: Missed) -> None:
    now = FIRST + timedelta(seconds=seconds)
    found = due_now("*/7 * * * *", "UTC", FIRST, now, missed, grace=60)
    assert found == sorted(set(found))
    assert all(FIRST <= tick <= now for tick in found)
    coming = next_tick("*/7 * * * *", "UTC", now)
    assert coming is not None
    assert coming > now
