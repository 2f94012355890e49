"""The event loop of an agent's process goes on, whatever code in it exits, until its main coroutine ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import pytest
import uvloop

from consumers._process import event_loop
from tests.support.waiting import eventually

LOOPS = {"standard": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run_to_end(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Once with each loop."""
    return partial(event_loop.run_to_end, loop_factory=LOOPS[request.param])


def no_signal(number: signal.Signals) -> None:
    raise AssertionError(f"nobody has sent {number!r}")


def exits(error: type[BaseException]) -> NoReturn:
    raise error(0)


async def exits_in_a_task(error: type[BaseException]) -> NoReturn:
    await asyncio.sleep(0)
    exits(error)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit, BaseException])
def test_what_exits_in_a_task_or_a_callback_does_not_end_the_loop(
    run_to_end: Callable[..., None],
    error: type[BaseException],
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[BaseException | None] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(exits, error)
        loop.call_later(0.01, exits, error)
        loop.call_soon_threadsafe(exits, error)
        task = asyncio.create_task(exits_in_a_task(error))
        await asyncio.wait([task])
        seen.append(task.exception())
        await asyncio.sleep(0.05)  # longer than the timer
        seen.append(None)

    run_to_end(main, on_signal=no_signal)
    assert [type(one) for one in seen] == [error, type(None)]
    assert error.__name__ in caplog.text


def test_a_loop_that_other_code_stops_goes_on(
    run_to_end: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    async def main() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(0.01)
        ended.append("by itself")

    run_to_end(main, on_signal=no_signal)
    assert ended == ["by itself"]
    assert "loop.stop() was called" in caplog.text


def test_what_the_main_coroutine_raises_is_raised(run_to_end: Callable[..., None]) -> None:
    async def main(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    for error in (ValueError("own"), SystemExit(3), asyncio.CancelledError()):
        with pytest.raises(type(error)):
            run_to_end(lambda error=error: main(error), on_signal=no_signal)


def test_signals_are_told_and_mean_afterwards_what_they_meant_before(
    run_to_end: Callable[..., None],
) -> None:
    def before(number: int, _: Any) -> None: ...

    heard: list[signal.Signals] = []
    both = (signal.SIGTERM, signal.SIGINT)

    async def main() -> None:
        for number in both:
            os.kill(os.getpid(), number)
            await eventually(partial(heard.__contains__, number))

    old = {number: signal.signal(number, before) for number in both}
    try:
        run_to_end(main, on_signal=heard.append)
        assert heard == list(both)
        assert [signal.getsignal(number) for number in both] == [before, before]
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


DEAF = """
import asyncio, sys
if "standard" in sys.argv:
    sys.modules["uvloop"] = None
from consumers._process import event_loop
event_loop.LAST_WAIT = 0.05

async def deaf():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("cancelled")

async def main():
    left = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    if "badly" in sys.argv:
        raise ValueError("it went wrong")
    print("the end")

event_loop.run_to_end(main, on_signal=print)
"""


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(("how", "code"), [("well", 0), ("badly", 1)])
def test_a_coroutine_that_does_not_end_keeps_no_process_and_the_exit_code_is_true(
    loop: str, how: str, code: int
) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DEAF, loop, how],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == code, ran.stderr
    assert "cancelled" in ran.stdout
    assert ("the end" in ran.stdout) == (how == "well")
    assert ("it went wrong" in ran.stderr) == (how == "badly")
