"""The page is the sum of all processes, and what it has shown is not lost with the one that showed it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from coordinator.metrics.counted_figures import CountedFigures
from coordinator.metrics.group_file import GroupMember, open_group_file
from coordinator.metrics.metric_catalogue import EXECUTIONS, IN_FLIGHT, SUBSCRIBERS
from coordinator.metrics.metrics_page import MetricsPage
from tests.support.scraping import Scraped


@pytest.fixture
def descriptor() -> Iterator[int]:
    descriptor = open_group_file(processes=3)
    yield descriptor
    os.close(descriptor)


class Nothing:
    """Is true now."""

    async def read(self) -> dict[str, Any]:
        return {}

    async def aclose(self) -> None: ...


def process(member: GroupMember | None, executions: int = 0, in_flight: int = 0) -> MetricsPage:
    figures, current = CountedFigures(), Nothing()
    page = MetricsPage(
        figures,
        current,  # type: ignore[arg-type]
        version="1.2.3",
        held=lambda: {IN_FLIGHT.name: {(): in_flight}, SUBSCRIBERS.name: {("task",): in_flight}},
        member=member,
    )
    figures.counter(EXECUTIONS)[("high",)] += executions
    return page


async def scraped(page: MetricsPage) -> Scraped:
    return Scraped((await page.scrape())[0].decode())


async def test_a_process_alone_tells_what_it_counted() -> None:
    page = await scraped(process(None, executions=2, in_flight=1))
    assert page.value("executions_total", priority="high") == 2
    assert page.value("publishes_in_flight") == 1
    assert page.value("build_info", version="1.2.3") == 1
    assert page.by("process", "process_open_fds").keys() == {"worker-1"}


async def test_what_was_shown_goes_on_in_the_process_that_takes_the_place(descriptor: int) -> None:
    first, second = (GroupMember(descriptor=descriptor, place=place) for place in (1, 2))
    other = process(second, executions=3, in_flight=4)
    await scraped(other)
    killed = process(first, executions=2, in_flight=1)
    before = await scraped(killed)
    assert before.value("executions_total", priority="high") == 5
    assert before.value("publishes_in_flight") == 5
    # It is gone without a word. What it had on its way is not counted on, what it had counted is.
    after = await scraped(process(first, executions=1))
    assert after.value("executions_total", priority="high") == 6
    assert after.value("publishes_in_flight") == 4
    assert after.value("subscribers", kind="task") == 4
    assert (await scraped(other)).value("executions_total", priority="high") == 6


async def test_a_process_that_stops_in_order_tells_the_last_of_it(descriptor: int) -> None:
    first, second = (GroupMember(descriptor=descriptor, place=place) for place in (1, 2))
    await process(first, executions=2).aclose()
    page = await scraped(process(second))
    assert page.value("executions_total", priority="high") == 2
