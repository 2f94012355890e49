"""When a recurring schedule is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.cron.ticks import (
    MOST_MISSED,
    Missed,
    check_cron,
    due_now,
    last_tick,
    next_tick,
)
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
    ("cron", "sentence"),
    [
        ("often", "'often' has one field: write five"),
        ("", "'' has 0 fields: write five"),
        ("* * * *", "has 4 fields: write five"),
        ("* * * * * * *", "has 7 fields: write five .* or six with seconds in front"),
        ("@daily", "is a nickname, which is not read here: write '0 0 \\* \\* \\*'"),
        ("@Hourly", "is a nickname, which is not read here: write '0 \\* \\* \\* \\*'"),
        ("@reboot", "is a nickname, which is not read here: write the times as five fields"),
        ("99 * * * *", "cannot be read: minute '99' must be '\\*' or 0 to 59"),
        ("9" * 5000 + " * * * *", "cannot be read: minute '9+' must be"),
        ("*/" + "9" * 5000 + " * * * *", "cannot be read: minute '\\*/9+' must be"),
        ("60 * * * * *", "cannot be read: second '60' must be '\\*' or 0 to 59"),
        ("0 24 * * *", "cannot be read: hour '24' must be '\\*' or 0 to 23"),
        ("0 0 15W * *", "cannot be read: day of month '15W' must be"),
        ("0 0 * 13 *", "cannot be read: month '13' must be '\\*' or 1 to 12, or JAN to DEC"),
        ("0 0 * * FRI-MON", "day of week 'FRI-MON' must be .* in ranges upwards"),
        ("*/0 * * * *", "cannot be read: minute '\\*/0' must be"),
        ("0 0 ? * 1", "day of month '\\?' is of another cron: write '\\*' for every one"),
        ("0 0 31 2 *", "'0 0 31 2 \\*' never comes: no month '2' has a day '31'"),
        ("0 0 0 31 4,6 *", "never comes: no month '4,6' has a day '31'"),
    ],
)
def test_a_cron_that_cannot_be_is_refused_for_its_own_reason(cron: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest, match=sentence) as refused:
        check_cron(cron, "UTC")
    assert refused.value.field == "cron"


@pytest.mark.parametrize(
    "timezone",
    [
        *("Vienna", "../etc/passwd", "", "Europe", "europe/vienna", "a\x00b", "tzdata.zi"),
        *("localtime", "Factory", "posixrules", "posix/Europe/Vienna", "right/Europe/Vienna"),
    ],
)
def test_a_zone_that_not_every_machine_has_is_refused(timezone: str) -> None:
    with pytest.raises(InvalidRequest, match="is not known: write a name such as") as refused:
        check_cron("* * * * *", timezone)
    assert refused.value.field == "timezone"


@pytest.mark.parametrize("timezone", ["UTC", "Europe/Vienna", "GMT0", "Asia/Calcutta", "Etc/GMT+5"])
def test_zones_of_the_list_are_taken_by_their_older_names_too(timezone: str) -> None:
    check_cron("* * * * *", timezone)


@given(st.text(alphabet="0123456789*/,-?@LW# MONday", max_size=30))
def test_any_text_is_an_expression_or_refused_with_a_sentence(cron: str) -> None:
    try:
        check_cron(cron, "UTC")
    except InvalidRequest as exc:
        assert str(exc).startswith(f"cron {cron!r} ")  # noqa: PT017
    else:
        assert next_tick(cron, "UTC", FIRST) is not None


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


@pytest.mark.parametrize("missed", Missed)
@pytest.mark.parametrize("cron", ["* * * * * *", "* * * * *", "* * 1 * * *"])
def test_what_is_looked_at_does_not_grow_with_the_time_away(
    cron: str, missed: Missed, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[datetime] = []

    def looks(cron: str, timezone: str, until: datetime) -> datetime | None:
        looked.append(until)
        return last_tick(cron, timezone, until)

    monkeypatch.setattr("coordinator.domain.cron.ticks.last_tick", looks)
    due_now(cron, "Europe/Vienna", FIRST, FIRST + timedelta(days=3000), missed, grace=60)
    assert len(looked) <= MOST_MISSED


@given(st.integers(0, 100_000), st.sampled_from(Missed))
def test_no_tick_is_run_that_is_not_due_and_none_twice(seconds: int, missed: Missed) -> None:
    now = FIRST + timedelta(seconds=seconds)
    found = due_now("*/7 * * * *", "UTC", FIRST, now, missed, grace=60)
    assert found == sorted(set(found))
    assert all(FIRST <= tick <= now for tick in found)
    coming = next_tick("*/7 * * * *", "UTC", now)
    assert coming is not None
    assert coming > now


@pytest.mark.parametrize("cron", ["* * * * *", "0 3 * * *"])
def test_there_is_no_tick_beyond_the_calendar(cron: str) -> None:
    assert next_tick(cron, "Pacific/Kiritimati", datetime.max.replace(tzinfo=UTC)) is None
    assert last_tick(cron, "America/Nuuk", datetime.min.replace(tzinfo=UTC)) is None
