"""Stops a command on SIGINT and SIGTERM: in good order at the first signal, at once at the second."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

__all__ = ["raise_on_interrupt", "run_until_stopped"]


def raise_on_interrupt() -> None:
    """From now on Ctrl-C raises `KeyboardInterrupt`: there will be something to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def run_until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` on an event loop until it ends or SIGINT or SIGTERM asks it to stop; a second signal
    ends at once (what it started ends with it).
    """
    try:
        from coordinator.web_server.http_server import event_loop_factory  # noqa: PLC0415
    except ModuleNotFoundError:  # the extra is not installed
        work.close()
        raise

    async def supervised() -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(work)
        asked: list[int] = []

        def stop(number: int) -> None:
            if asked:
                os._exit(128 + number)
            asked.append(number)
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        try:
            await task
        except asyncio.CancelledError:
            if not asked:
                raise

    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        runner.run(supervised())
