"""Schedules where clocks are changed, beside tables of all that a clock shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.domain.cron.ticks import last_tick, next_tick
from tests.unit.domain.wall_times import Meaning, Stretch, stretches, ticks

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
SECOND, MINUTE, QUARTER, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 900, 3600, 86400))

ZONES = [
    "UTC",
    "Europe/Vienna",
    "Europe/Dublin",
    "America/New_York",
    "America/Havana",
    "America/Santiago",
    "America/St_Johns",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
]
"""Clocks are changed at midnight, by half an hour and by two hours, once and twice a year, or never."""


def some(*numbers: int) -> frozenset[int]:
    return frozenset(numbers)


EVERY = frozenset(range(60))

SELDOM = {
    "30 2 * * *": Meaning(minutes=some(30), hours=some(2)),
    "0 0 * * *": Meaning(minutes=some(0), hours=some(0)),
    "45 1 * * 0": Meaning(minutes=some(45), hours=some(1), day=lambda day: day.weekday() == 6),
    "15 23,0,1 1,25-31 * 6": Meaning(
        minutes=some(15),
        hours=some(23, 0, 1),
        day=lambda day: day.day in {1, 25, 26, 27, 28, 29, 30, 31} or day.weekday() == 5,
    ),
}
OFTEN = {
    "*/15 2 * * *": Meaning(minutes=some(0, 15, 30, 45), hours=some(2)),
    "5,40 1-3 * * *": Meaning(minutes=some(5, 40), hours=some(1, 2, 3)),
    "10 */2 * * *": Meaning(minutes=some(10), hours=frozenset(range(0, 24, 2))),
    "30 * * * *": Meaning(minutes=some(30)),
    "*/10 * * * *": Meaning(minutes=frozenset(range(0, 60, 10))),
    "* 1,2 * * *": Meaning(minutes=EVERY, hours=some(1, 2)),
    "20 0-23 * * *": Meaning(minutes=some(20)),
    "*/20 * * * 6": Meaning(minutes=some(0, 20, 40), day=lambda day: day.weekday() == 5),
}
SECONDS = {
    "0 30 2 * * *": Meaning(minutes=some(30), hours=some(2)),
    "*/20 30 2 * * *": Meaning(minutes=some(30), hours=some(2), seconds=some(0, 20, 40)),
    "59 59 23,0,1,2 * * *": Meaning(minutes=some(59), hours=some(23, 0, 1, 2), seconds=some(59)),
    "7,8 */30 * * * *": Meaning(minutes=some(0, 30), seconds=some(7, 8)),
    "30 0 2 * * *": Meaning(minutes=some(0), hours=some(2), seconds=some(30)),
}


@cache
def shown(zone: str) -> list[Stretch]:
    return stretches(zone, START - 2 * DAY, END)


def forward(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    tick = next_tick(cron, zone, start - SECOND)
    while tick is not None and tick < end:
        found.append(tick)
        tick = next_tick(cron, zone, tick)
    return found


def backward(cron: str, zone: str, start: datetime, end: datetime) -> list[datetime]:
    found: list[datetime] = []
    tick = last_tick(cron, zone, end - SECOND)
    while tick is not None and tick >= start:
        found.append(tick)
        tick = last_tick(cron, zone, tick - SECOND)
    return found[::-1]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", SELDOM)
def test_two_years_are_as_in_a_table_of_every_quarter_of_an_hour(cron: str, zone: str) -> None:
    table = [tick for tick in ticks(SELDOM[cron], shown(zone), QUARTER) if tick >= START]
    assert forward(cron, zone, START, END) == table
    assert backward(cron, zone, START, END) == table


def around_changes(zone: str, reach: timedelta) -> list[tuple[datetime, datetime]]:
    return [(one.start - reach, one.start + reach) for one in shown(zone)[1:]]


def cut(zone: str, start: datetime, end: datetime) -> list[Stretch]:
    """What the clocks show then, and a day before, for what is told by how they got there."""
    start -= DAY
    return [
        Stretch(max(one.start, start), min(one.end, end), one.offset)
        for one in shown(zone)
        if one.start < end and one.end > start
    ]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", OFTEN)
def test_days_of_changes_are_as_in_a_table_of_every_minute(cron: str, zone: str) -> None:
    for start, end in around_changes(zone, DAY):
        table = [
            tick for tick in ticks(OFTEN[cron], cut(zone, start, end), MINUTE) if tick >= start
        ]
        assert forward(cron, zone, start, end) == table
        assert backward(cron, zone, start, end) == table


@pytest.mark.parametrize("zone", ["Europe/Vienna", "Antarctica/Troll", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron", SECONDS)
def test_hours_of_changes_are_as_in_a_table_of_every_second(cron: str, zone: str) -> None:
    for start, end in around_changes(zone, 3 * HOUR)[:2]:
        found = ticks(SECONDS[cron], cut(zone, start + DAY - HOUR, end), SECOND)
        table = [tick for tick in found if tick >= start]
        assert forward(cron, zone, start, end) == table
        assert backward(cron, zone, start, end) == table


def test_a_schedule_of_every_second_goes_on_through_both_passes() -> None:
    changed = datetime(2026, 10, 25, 1, tzinfo=UTC)
    found = forward("* * * * * *", "Europe/Vienna", changed - MINUTE, changed + MINUTE)
    assert found == [changed - MINUTE + n * SECOND for n in range(120)]


@pytest.mark.parametrize("cron", ["{} {} * * *", "0 {} {} * * *", "{} * * * *", "{} {} 29 2 *"])
@given(data=st.data())
def test_a_tick_is_after_now_and_the_last_one_then_and_none_is_between(
    cron: str, data: st.DataObject
) -> None:
    numbers = st.integers(0, 59), st.integers(0, 23)
    cron = cron.format(data.draw(numbers[0]), data.draw(numbers[1]))
    zone = data.draw(st.sampled_from(ZONES))
    changes = [one.start for one in shown(zone)[1:]] or [START]
    now = data.draw(st.sampled_from(changes)) + data.draw(
        st.timedeltas(min_value=-DAY, max_value=DAY)
    )
    tick = next_tick(cron, zone, now)
    assert tick is not None
    assert tick > now
    assert tick == tick.replace(microsecond=0)
    assert last_tick(cron, zone, tick) == tick
    before = last_tick(cron, zone, now)
    assert before is not None
    assert before <= now
    assert last_tick(cron, zone, tick - SECOND) == before
    assert next_tick(cron, zone, before) == tick


@pytest.mark.parametrize(
    ("cron", "zone", "after", "tick"),
    [
        # The second pass: 02:30 has been.
        ("30 2 * * *", "Europe/Vienna", "2026-10-25T01:10:00", "2026-10-26T01:30:00"),
        ("0 30 2 * * *", "Europe/Vienna", "2026-10-25T00:30:00", "2026-10-26T01:30:00"),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T15:05:00", "2026-04-05T15:15:00"),
        # The first: it is run now.
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T14:40:00", "2026-04-04T14:45:00"),
        # The gap: everything in it is one run, when it is over.
        ("*/15 2 * * *", "Europe/Vienna", "2026-03-29T00:59:59", "2026-03-29T01:00:00"),
        ("*/15 2 * * *", "Europe/Vienna", "2026-03-29T01:00:00", "2026-03-30T00:00:00"),
        ("7 30 2 * * *", "Europe/Vienna", "2026-03-29T00:00:00", "2026-03-29T01:00:00"),
        ("0 0 * * *", "Africa/Cairo", "2026-04-23T21:00:00", "2026-04-23T22:00:00"),
        # A day that a whole country left out.
        ("30 3 * * *", "Pacific/Apia", "2011-12-30T00:00:00", "2011-12-30T10:00:00"),
        # Each hour, and both passes of it.
        ("30 * * * *", "Europe/Vienna", "2026-10-25T00:30:00", "2026-10-25T01:30:00"),
        ("30 * * * *", "Europe/Vienna", "2026-03-29T00:30:00", "2026-03-29T01:30:00"),
        ("20 0 29 2 *", "Europe/Vienna", "2028-03-01T00:00:00", "2032-02-28T23:20:00"),
        ("20 * 29 2 *", "Europe/Vienna", "2028-03-01T00:00:00", "2032-02-28T23:20:00"),
    ],
)
def test_where_clocks_are_changed(cron: str, zone: str, after: str, tick: str) -> None:
    instants = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (after, tick)]
    assert next_tick(cron, zone, instants[0]) == instants[1]
