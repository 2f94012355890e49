"""Runs handlers that are plain functions in daemon threads."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .._process.fork_guard import ForkGuard

__all__ = ["HandlerThreads"]


@dataclass(frozen=True, slots=True)
class _Ended:
    value: Any
    error: BaseException | None


class HandlerThreads:
    """Makes at most ``count`` threads, when they are first needed.

    They are daemons, unlike those of the standard library's pool: a handler that never returns must
    not keep a process alive that was told twice to stop.
    """

    def __init__(self, count: int, *, name: str) -> None:
        self._count = count
        self._name = name
        self._made = 0
        self._busy = 0
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def start(self, function: Callable[..., Any], *args: Any) -> asyncio.Future[_Ended]:
        """Run ``function`` in a thread; the future ends when it does, and never by an exception.

        Cancelling the future does not stop the function. Raises `RuntimeError` where the system has no
        thread left.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Ended] = loop.create_future()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                with ForkGuard():
                    ended = _Ended(context.run(function, *args), None)
            except BaseException as exc:  # noqa: BLE001 - told to the caller, who raises it again
                ended = _Ended(None, exc)
            try:
                loop.call_soon_threadsafe(self._done, future, ended)
            except RuntimeError:
                return  # the loop is gone: nobody waits any more

        if self._busy >= self._made and self._made < self._count:
            thread = threading.Thread(
                target=self._serve, name=f"{self._name} {self._made + 1}", daemon=True
            )
            thread.start()
            self._made += 1  # only now: one that the system refuses does no work
        self._busy += 1
        self._work.put(work)
        return future

    def close(self) -> None:
        """End the threads that are idle, and the others when they become so."""
        for _ in range(self._made):
            self._work.put(None)

    def _done(self, future: asyncio.Future[_Ended], ended: _Ended) -> None:
        self._busy -= 1
        if not future.done():
            future.set_result(ended)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
