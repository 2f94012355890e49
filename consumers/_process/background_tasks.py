"""Keeps the asyncio tasks that run as long as the agent does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

__all__ = ["BackgroundTasks", "end_tasks"]


class BackgroundTasks:
    """Starts tasks, notices when one of them has ended, and ends all of them."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[object]] = []

    def start(self, part: Coroutine[Any, Any, object]) -> None:
        """``part`` is to end only with the agent."""
        self._tasks.append(asyncio.create_task(part))

    async def until(self, event: asyncio.Event) -> None:
        """Wait for ``event``, or until one of the tasks has ended: see `failure`."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait({waiting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    def failure(self) -> BaseException | None:
        """Why one of them ended; None while all of them run."""
        for task in self._tasks:
            if task.done():
                return _cancelled_by_others() if task.cancelled() else task.exception()
        return None

    async def end(self) -> None:
        """Cancel them, and wait until all have ended. Raises nothing of what they raise."""
        await end_tasks(self._tasks)


def _cancelled_by_others() -> RuntimeError:
    return RuntimeError(
        "A part of the agent was cancelled by other code in its event loop: a handler may cancel only"
        " tasks that it has started itself"
    )


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel until it has worked: `asyncio.wait_for`, which the driver uses, swallows a cancellation
    that comes together with its result (up to Python 3.11).
    """
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        done, pending = await asyncio.wait(pending, timeout=1.0)
        for task in done:
            if not task.cancelled():
                task.exception()  # of no interest any more
