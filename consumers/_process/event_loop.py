"""Runs the event loop of an agent until its main coroutine has ended, whatever else calls `sys.exit`.

`asyncio` lets a SystemExit or KeyboardInterrupt of any task or callback through `run_forever`, which
ends the program. An agent has work of others in hand: its loop goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from .stop_signals import StopSignals, may_be_ctrl_c

__all__ = ["run_to_end"]

logger = logging.getLogger(__name__)

LAST_WAIT = 2.0
"""Seconds for which what still runs at the end is waited for, once it was cancelled."""


def run_to_end(
    main: Callable[[], Coroutine[Any, Any, None]],
    *,
    on_signal: Callable[[signal.Signals], None],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> None:
    """Run ``main`` in a loop of its own, in which ``on_signal`` is called for SIGTERM and SIGINT.
    ``loop_factory`` makes the loop; None for uvloop where it is installed.

    Raises what ``main`` raises. Where a coroutine does not end although it was cancelled, the process
    ends here: with 0 if ``main`` has ended well, with 1 if not.
    """
    with asyncio.Runner(loop_factory=loop_factory or _event_loop_factory()) as runner:
        loop = runner.get_loop()
        with StopSignals(loop, on_signal):
            task = loop.create_task(main())
            _drive(loop, task)
            if not _end_the_rest(loop):
                _leave(task)
    task.result()


def _drive(loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
    task.add_done_callback(lambda _: loop.stop())
    while not task.done():
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt) as exc:
            if may_be_ctrl_c(exc):
                raise
            logger.error(
                "%s was raised in a task or a callback, and would have ended the agent: it goes on",
                type(exc).__name__,
                exc_info=exc,
            )
        else:
            if not task.done():
                logger.error("loop.stop() was called by other code: the agent goes on")


def _end_the_rest(loop: asyncio.AbstractEventLoop) -> bool:
    """Cancel what handlers have left behind; False if some of it does not end."""
    rest = asyncio.all_tasks(loop)
    if not rest:
        return True
    for task in rest:
        task.cancel()
    _drive(loop, loop.create_task(_ended(rest)))
    return not asyncio.all_tasks(loop)


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    await asyncio.wait(tasks, timeout=LAST_WAIT)


def _leave(task: asyncio.Task[None]) -> None:
    """A coroutine that swallows its cancellation would keep the event loop open for ever."""
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is not None:
        logger.error("the agent has failed", exc_info=error)
    logger.warning("ending with a coroutine that does not end")
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(0 if error is None else 1)


def _event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop where it is installed, None for the standard one."""
    try:
        import uvloop  # noqa: PLC0415 - an agent needs it not
    except ImportError:
        return None
    return uvloop.new_event_loop
