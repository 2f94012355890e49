"""The time-outs of a run stand still while it waits for people, and end for good with `end`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from consumers._handling.run_timers import RunTimers
from consumers._handling.stop_reason import StopReason
from consumers._values.handler_limits import HandlerLimits
from tests.support.waiting import eventually

LIMIT = timedelta(seconds=0.05)


class Run:
    """Timers of one run, and what they said."""

    def __init__(self, *, silence: float | None = None) -> None:
        self.told: list[StopReason] = []
        self.now = 0.0
        limits = HandlerLimits(
            timeout=LIMIT,
            progress_timeout=None if silence is None else timedelta(seconds=silence),
            grace=timedelta(),
            max_result_bytes=1000,
        )
        self.timers = RunTimers(limits, clock=lambda: self.now, stop=self.told.append)
        self.timers.begin()

    async def pass_its_limit(self) -> None:
        """A timer that begins now with the same time ends after those of the run."""
        passed = asyncio.Event()
        asyncio.get_running_loop().call_later(LIMIT.total_seconds(), passed.set)
        await passed.wait()


async def test_a_run_that_waits_for_people_goes_on_with_the_time_that_was_left() -> None:
    run = Run()
    run.timers.pause()
    await run.pass_its_limit()
    assert run.told == []
    run.now = 7.0
    run.timers.go_on()
    assert run.timers.stood_still == 7.0
    await eventually(lambda: run.told)
    assert run.told == [StopReason.TIMED_OUT]


async def test_one_that_was_told_to_stop_while_it_waited_is_timed_no_more() -> None:
    run = Run(silence=0.01)
    run.timers.pause()
    run.timers.end()
    run.timers.go_on()
    await run.pass_its_limit()
    assert run.told == []


async def test_one_that_was_told_to_stop_before_it_waited_is_timed_no_more() -> None:
    run = Run(silence=0.01)
    run.timers.end()
    run.timers.pause()
    run.timers.go_on()
    await run.pass_its_limit()
    assert run.told == []
