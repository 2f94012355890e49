"""What cannot be read in time is missing, and holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from coordinator.errors import BrokerUnavailable
from coordinator.metrics.part_reader import PartReader


class Hanging:
    """Answers the first question once it is told to, and later ones at once."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = asyncio.Event()

    async def __call__(self) -> int:
        self.asked += 1
        number = self.asked
        await self.answers.wait()
        return number


async def well() -> int:
    return 7


async def away() -> int:
    raise BrokerUnavailable("gone")


async def test_a_part_that_fails_or_hangs_leaves_the_others() -> None:
    asked: dict[str, Callable[[], Awaitable[int]]] = {
        "away": away,
        "hangs": Hanging(),
        "well": well,
    }
    parts = PartReader(asked, within=0.01)
    assert await parts.read() == {"away": None, "hangs": None, "well": 7}
    await parts.aclose()


async def test_a_part_that_hangs_is_asked_once_however_often_it_is_scraped() -> None:
    hanging = Hanging()
    parts = PartReader({"hangs": hanging}, within=0.01)
    for _ in range(3):
        assert await parts.read() == {"hangs": None}
    assert hanging.asked == 1
    hanging.answers.set()
    await asyncio.sleep(0)
    await parts.aclose()


async def test_what_came_too_late_is_not_told_at_the_next_scrape() -> None:
    hanging = Hanging()
    parts = PartReader({"hangs": hanging}, within=0.01)
    await parts.read()
    hanging.answers.set()
    (late,) = parts._late.values()
    await late
    assert await parts.read() == {"hangs": 2}


async def test_an_error_that_came_too_late_is_nobodys() -> None:
    answers = asyncio.Event()

    async def fails() -> int:
        await answers.wait()
        raise BrokerUnavailable("gone")

    parts = PartReader({"fails": fails}, within=0.01)
    await parts.read()
    answers.set()
    (late,) = parts._late.values()
    await asyncio.wait([late])
    assert await parts.read() == {"fails": None}
    await parts.aclose()
