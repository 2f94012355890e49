"""Declares the port through which code of the agent's author runs around every handler."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from coordinator.errors import InvalidRequest

from .task import Task

__all__ = ["CallNext", "Interceptor", "check_interceptors"]

CallNext = Callable[[], Awaitable[Any]]
"""Runs the next interceptor, or the handler. It gives what that returned, as Python has it, and raises what
it raised; `asyncio.CancelledError` where the attempt was told to stop. It is called once at most, since
another go is another attempt: a second call raises `RuntimeError`."""


class Interceptor(Protocol):
    """Runs around the handler of each attempt, on the event loop; also where the handler runs in a thread.

    One object serves all attempts of an agent, several at once where it has several slots.
    """

    async def intercept(self, task: Task, call_next: CallNext) -> Any:
        """What it returns is the result of the attempt: that of ``call_next`` or another. It may leave
        ``call_next`` out.

        What it raises ends the attempt: `RetryLater` and `Discard` as in a handler, and what
        ``call_next`` raised as if it were not there. Anything else fails the attempt with the error
        `InterceptorFailed`, which names the class of the interceptor.
        """
        ...


def check_interceptors(given: object) -> tuple[Interceptor, ...]:
    """Those of an agent, outermost first. Raises `InvalidRequest` for what is none, as far as that can be
    seen: a decorated method may be anything.
    """
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise InvalidRequest(
            "interceptors must be a list: write interceptors=[MyInterceptor()]",
            field="interceptors",
        )
    for one in given:
        method = getattr(one, "intercept", None)
        if inspect.isclass(one):
            problem = f"{one.__name__} is a class: write {one.__name__}()"
        elif method is None:
            problem = f"one of type {type(one).__name__} has no such method"
        elif not (inspect.iscoroutinefunction(method) or hasattr(method, "__wrapped__")):
            problem = f"that of {type(one).__name__} is not declared with async def"
        else:
            continue
        raise InvalidRequest(
            "interceptors must hold objects with a method"
            f" `async def intercept(self, task, call_next)`, and {problem}",
            field="interceptors",
        )
    return tuple(given)
