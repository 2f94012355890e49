"""Instants, durations and numbers, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coordinator.dashboard.text_formats import age, clock_time, count, duration, short

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (None, "\N{EN DASH}"),
        (-1, "< 1 ms"),
        (0.0004, "< 1 ms"),
        (0.25, "250 ms"),
        (2.5, "2.5 s"),
        (12.4, "12 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (14 * 60 + 59, "14 min"),
        (5 * 3600 + 12 * 60, "5 h 12 min"),
        (3 * 86400 + 4 * 3600, "3 d 4 h"),
        (400 * 86400, "400 d"),
    ],
)
def test_a_duration_is_as_exact_as_it_is_short(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "now"), (-0.4, "now"), (3.9, "3 s ago"), (61, "1 min ago"), (-7300, "in 2 h")],
)
def test_an_age_is_of_what_was_or_will_be(seconds: float, told: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == told


def test_an_instant_is_told_in_utc() -> None:
    assert clock_time(NOW) == "2026-01-31 12:00:00.123 UTC"


def test_thousands_are_set_apart() -> None:
    assert count(1234567) == "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567"


def test_what_is_long_is_one_short_line() -> None:
    assert short({"a": "b\nc"}, 80) == '{"a": "b\\nc"}'
    assert short("a\nb  c" * 40, 10) == "a b ca b …"
