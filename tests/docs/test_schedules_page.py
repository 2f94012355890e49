"""The table of the guide to schedules, worked out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from coordinator.domain.cron.ticks import next_tick

from .blocks import ROOT

PAGE = ROOT / "docs" / "guides" / "schedules.md"
VIENNA = "Europe/Vienna"
DAYS = (datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1))  # noqa: DTZ001 - as shown there


def rows() -> list[list[str]]:
    table = PAGE.read_text(encoding="utf-8").split("<!-- table: clock changes -->")[1]
    lines = table.strip().split("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]


def shown(cron: str, start: datetime) -> Iterator[str]:
    """What the clock shows at each tick, from this hour to four o'clock."""
    zone = ZoneInfo(VIENNA)
    after = start.replace(tzinfo=zone).astimezone(UTC) - timedelta(seconds=1)
    end = start.replace(hour=4, tzinfo=zone).astimezone(UTC)
    while (tick := next_tick(cron, VIENNA, after)) is not None and tick < end:
        after = tick
        yield f"{tick.astimezone(zone):%H:%M:%S}".removesuffix(":00")


@pytest.mark.parametrize(("cron", "spring", "autumn"), rows())
def test_the_guide_tells_when_a_schedule_runs_where_clocks_are_changed(
    cron: str, spring: str, autumn: str
) -> None:
    assert [" ".join(shown(cron, day)) for day in DAYS] == [spring, autumn]
