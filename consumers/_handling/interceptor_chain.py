"""Runs interceptors around a handler, the first of them outermost.

Interceptor 1 ─ call_next ─▶ Interceptor 2 ─ call_next ─▶ handler
◀──────── what it returned or raised, each time ────────┘
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

from .._values.printable_text import class_name, text_of
from ..interceptor import CallNext, Interceptor
from ..outcome import Discard, RetryLater, chosen
from ..task import Task

__all__ = ["InterceptorFailed", "call_through"]

MAX_CAUSE = 1_000
"""Characters of what an interceptor has raised."""


class InterceptorFailed(Exception):
    """Says that an interceptor raised ``exc``, which came neither from the handler nor from another one."""

    def __init__(self, interceptor: Interceptor, exc: BaseException) -> None:
        super().__init__(
            f"The interceptor {class_name(interceptor)} raised {class_name(exc)}:"
            f" {text_of(exc, MAX_CAUSE)}"
        )


async def call_through(interceptors: Sequence[Interceptor], task: Task, handler: CallNext) -> Any:
    """What the outermost interceptor returns. Raises what the handler raised and all of them let pass,
    `RetryLater` or `Discard` of any of them, and `InterceptorFailed` for the rest.
    """
    if not interceptors:
        return await handler()
    outermost, *others = interceptors
    below = _Once(partial(call_through, others, task, handler))
    try:
        return await outermost.intercept(task, below)
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException as exc:
        if exc is below.raised or chosen(exc, RetryLater, Discard):
            raise
        raise InterceptorFailed(outermost, exc) from exc
    finally:
        await below.end()


class _Once:
    """`CallNext` for one interceptor; it remembers what came from further in."""

    def __init__(self, call: CallNext) -> None:
        self._call = call
        self.over = False
        """Whether it was called, or the interceptor has returned."""
        self.raised: BaseException | None = None
        self._in_task: asyncio.Task[Any] | None = None
        """In which it is at work."""

    async def __call__(self) -> Any:
        if self.over:
            raise RuntimeError(
                "call_next is called once, before the interceptor returns: another go is another"
                " attempt, for which RetryLater asks"
            )
        self.over = True
        self._in_task = asyncio.current_task()
        try:
            return await self._call()
        except BaseException as exc:
            self.raised = exc
            raise
        finally:
            self._in_task = None

    async def end(self) -> None:
        """The interceptor has returned. What it left at work, in a task of its own, is cancelled until it
        ends: the attempt and its slot last as long.
        """
        self.over = True
        cancelled = False
        while (left := self._in_task) is not None:
            left.cancel()
            try:
                await asyncio.wait({left})
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError
