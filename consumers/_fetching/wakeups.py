"""Wakes the fetch loop when something arrives or finishes, the time is up, or it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .._working.task_executor import TaskExecutor

__all__ = ["Wakeups"]


class Wakeups:
    """Waits on the signals of ``executor``; every wait has an end, in seconds of the loop's clock."""

    def __init__(self, executor: TaskExecutor) -> None:
        self._executor = executor
        self._stop = asyncio.Event()
        self.now = asyncio.get_running_loop().time
        self._turned = self.now()
        self._waits_until = self._turned

    @property
    def last_turn(self) -> float:
        """When the fetch loop was last seen alive: now, while it waits here in good order."""
        return max(self._turned, min(self._waits_until, self.now()))

    @property
    def stopped(self) -> bool:
        """Whether the fetch loop was told to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End every wait now, and the fetch loop soon after."""
        self._stop.set()
        self._executor.changed.set()

    def turn(self) -> float:
        """The loop is alive; the time."""
        self._turned = self.now()
        return self._turned

    async def fact(self, is_so: Callable[[], bool], seconds: float) -> None:
        """Until ``is_so`` is true, or the time is up, or the loop is told to stop."""
        until = self.now() + seconds
        while not is_so() and not self.stopped:
            left = until - self.now()
            if left <= 0:
                return
            self._executor.changed.clear()
            await self.change(left)

    async def change(self, seconds: float) -> None:
        """Until something arrives or finishes, or the time is up."""
        await self._within(seconds, self._executor.changed.wait())

    async def pause(self, seconds: float) -> None:
        """Until the time is up, or the loop is told to stop."""
        await self._within(seconds, self._stop.wait())

    async def _within(self, seconds: float, waiting: Awaitable[object]) -> None:
        self._waits_until = self.now() + seconds
        try:
            async with asyncio.timeout(seconds):
                await waiting
        except TimeoutError:
            return
        finally:
            self._waits_until = min(self._waits_until, self.now())
