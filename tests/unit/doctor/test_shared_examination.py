"""One examination is for all who ask at about the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from coordinator.doctor.checks.finding import Finding
from coordinator.doctor.shared_examination import SharedExamination


class Examination:
    """Ends when it may; counts how often it was begun. ``seconds`` is the time."""

    def __init__(self) -> None:
        self.begun = 0
        self.has_begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.fails = False
        self.seconds = 100.0
        self.shared = SharedExamination(self._examine, fresh_for=15, monotonic=lambda: self.seconds)

    async def _examine(self) -> Sequence[Finding]:
        self.begun += 1
        self.has_begun.set()
        await self.may_end.wait()
        if self.fails:
            raise ZeroDivisionError
        return [Finding.ok("version", f"the {self.begun}.")]


async def test_who_asks_while_one_is_under_way_is_told_what_that_finds() -> None:
    examination = Examination()
    asking = [asyncio.create_task(examination.shared()) for _ in range(3)]
    examination.may_end.set()
    told = await asyncio.gather(*asking)
    assert examination.begun == 1
    assert [one.findings[0].text for one in told] == ["the 1."] * 3


async def test_what_was_found_is_told_for_a_while_with_its_age() -> None:
    examination = Examination()
    examination.may_end.set()
    await examination.shared()
    examination.seconds += 14
    assert (await examination.shared()).seconds_ago == 14
    examination.seconds += 1
    again = await examination.shared()
    assert (again.findings[0].text, again.seconds_ago) == ("the 2.", 0)


async def test_who_hangs_up_ends_it_for_nobody_else() -> None:
    examination = Examination()
    first = asyncio.create_task(examination.shared())
    second = asyncio.create_task(examination.shared())
    await examination.has_begun.wait()
    first.cancel()
    examination.may_end.set()
    assert (await second).findings


async def test_after_one_that_failed_there_is_another() -> None:
    examination = Examination()
    examination.may_end.set()
    examination.fails = True
    with pytest.raises(ZeroDivisionError):
        await examination.shared()
    examination.fails = False
    assert (await examination.shared()).findings[0].text == "the 2."
