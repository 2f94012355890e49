"""Makes calls that a handler waits for: something to await on the event loop, the answer itself in a thread.

So many at a time; the others wait for their turn. A coroutine that is told to stop is cancelled in its call.
Nothing stops a thread, so its calls end instead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any

__all__ = ["AT_ONCE", "CallsFromHandlers"]

AT_ONCE = 50
"""Calls of one attempt that are under way: a coordinator answers some hundred requests at a time, of all."""


class CallsFromHandlers:
    """Belongs to one attempt; made on the loop, and called from wherever its handler runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._open: set[Future[Any]] = set()
        self._ended = False
        self._waiting = 0
        self._quiet_since = 0.0

    @property
    def unanswered_for(self) -> float:
        """Seconds for which the handler has waited and nothing was answered; 0 where it waits for nothing."""
        return self._loop.time() - self._quiet_since if self._waiting else 0.0

    def call(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Raises what ``work`` raises, and in a thread `CancelledError` after `end`."""
        in_turn = self._in_turn(work)
        if threading.get_ident() == self._loop_thread:
            return in_turn
        future = asyncio.run_coroutine_threadsafe(in_turn, self._loop)
        self._open.add(future)
        try:
            if self._ended:  # between the two lines above, perhaps
                future.cancel()
                raise CancelledError
            return future.result()
        finally:
            self._open.discard(future)

    async def _in_turn(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        if not self._waiting:
            self._quiet_since = self._loop.time()
        self._waiting += 1
        try:
            async with self._turns:
                return await work()
        finally:
            self._waiting -= 1
            self._quiet_since = self._loop.time()

    def end(self) -> None:
        """Threads wait no more: the handler is told to stop."""
        self._ended = True
        for future in tuple(self._open):
            future.cancel()
