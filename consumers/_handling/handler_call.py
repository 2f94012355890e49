"""Calls a handler through the interceptors: a coroutine function on the loop, a plain one in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from .._process.fork_guard import ForkGuard
from ..handler_table import Handler
from ..outcome import Completed, Failed, completed_with
from ..task import Task
from .handler_environment import HandlerEnvironment
from .interceptor_chain import call_through

__all__ = ["HandlerCall"]


class HandlerCall:
    """Makes one call. What is returned becomes JSON where the handler ran: a large result of a plain function
    holds up nobody.
    """

    def __init__(
        self, handler: Handler, task: Task, environment: HandlerEnvironment, *, max_bytes: int
    ) -> None:
        self._handler = handler
        self._task = task
        self._environment = environment
        self._encode = partial(completed_with, max_bytes=max_bytes)
        self._thread: asyncio.Future[Any] | None = None
        self.saw_stop = False
        """Whether a plain function was told to stop, looked, and returned."""

    @property
    def in_thread(self) -> bool:
        """Whether it is in a thread, which cannot be cancelled."""
        return self._thread is not None

    @property
    def left_behind(self) -> asyncio.Future[Any] | None:
        """The thread that still runs although the call is over: an interceptor did not wait for it."""
        return None if self._thread is None or self._thread.done() else self._thread

    async def outcome(self) -> Completed | Failed:
        """Raises what the handler raises, `InterceptorFailed`, and `asyncio.CancelledError` where a
        plain function has stopped as it was told.
        """
        interceptors = self._environment.interceptors
        if not interceptors:
            return await self._alone()
        with ForkGuard():
            value = await call_through(interceptors, self._task, self._value)
            if self._handler.asynchronous or self.left_behind is not None:
                return self._encode(value)
            encoded: Completed | Failed = await self._threaded(self._encode, value)
            return encoded

    async def _alone(self) -> Completed | Failed:
        """Without interceptors, one thread calls the handler and encodes the result."""
        function = self._handler.function
        if self._handler.asynchronous:
            with ForkGuard():
                result = await function(self._task)
            return self._encode(result)
        self._thread = self._environment.threads.start(lambda: self._encode(function(self._task)))
        ended = await self._thread
        if ended.error is not None:
            raise ended.error
        self._heed_stop()
        outcome: Completed | Failed = ended.value
        return outcome

    async def _value(self) -> Any:
        """What the handler returned, as Python has it."""
        if self._handler.asynchronous:
            return await self._handler.function(self._task)
        value = await self._threaded(self._handler.function, self._task)
        self._heed_stop()
        return value

    async def _threaded(self, function: Callable[..., Any], *args: Any) -> Any:
        """Cancelling this does not lose sight of the thread."""
        self._thread = self._environment.threads.start(function, *args)
        ended = await asyncio.shield(self._thread)
        self._thread = None
        if ended.error is not None:
            raise ended.error
        return ended.value

    def _heed_stop(self) -> None:
        """What a plain function returned after it was told to stop is not what it was asked for."""
        if self._task.saw_cancelled:
            self.saw_stop = True
            raise asyncio.CancelledError
