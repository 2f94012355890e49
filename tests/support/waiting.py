"""Waiting for facts."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

__all__ = ["eventually"]

T = TypeVar("T")

FIRST_PAUSE = 0.005
LONGEST_PAUSE = 0.1


@overload
async def eventually(fact: Callable[[], Awaitable[T | None]], *, timeout: float = ...) -> T: ...
@overload
async def eventually(fact: Callable[[], T | None], *, timeout: float = ...) -> T: ...
async def eventually(fact: Callable[[], Any], *, timeout: float = 30) -> Any:
    """Ask until the answer is true, and return it; plain and async functions will do.

    Time costs nothing where the fact comes soon: the default is for machines that are very busy.
    What the function raises is raised at once. Past ``timeout`` seconds the test fails, and is told
    the last answer.
    """
    pause = FIRST_PAUSE
    answer: Any = "(it never answered)"
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            while True:
                asked = fact()
                answer = await asked if inspect.isawaitable(asked) else asked
                if answer:
                    return answer
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
    except TimeoutError:
        if not deadline.expired():
            raise
    raise AssertionError(f"it did not come true within {timeout} s; the last answer was {answer!r}")
