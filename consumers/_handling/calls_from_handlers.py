"""Makes calls that a handler waits for: something to await on the event loop, the answer itself in a thread.

A coroutine that is told to stop is cancelled in its call. Nothing stops a thread, so its calls end instead.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any

__all__ = ["CallsFromHandlers"]


class CallsFromHandlers:
    """Belongs to one attempt; made on the loop, and called from wherever its handler runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._open: set[Future[Any]] = set()
        self._ended = False

    def call(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Raises what ``work`` raises, and in a thread `CancelledError` after `end`."""
        if threading.get_ident() == self._loop_thread:
            return work
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._open.add(future)
        try:
            if self._ended:  # between the two lines above, perhaps
                future.cancel()
                raise CancelledError
            return future.result()
        finally:
            self._open.discard(future)

    def end(self) -> None:
        """Threads wait no more: the handler is told to stop."""
        self._ended = True
        for future in tuple(self._open):
            future.cancel()
